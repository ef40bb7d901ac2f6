/** What a form cannot see: that another inbox reads the same folder of the same mailbox, and every letter would be there twice. */
import type { ChannelInbox, SettingFault } from '@huike/core/sdk/channel.ts'
import type { PluginContext } from '@huike/core/sdk/plugin.ts'
import { type Mailbox, mailboxOf } from './inbox-settings.ts'

/** One that is switched off reads nothing: it is looked at when it is switched on. */
export async function checkInbox(ctx: Pick<PluginContext, 'inboxes'>, inbox: ChannelInbox, enabled: boolean): Promise<SettingFault[]> {
  const mailbox = mailboxOf(inbox)
  const folder = folderOf(mailbox)
  if (!enabled || !folder) return []
  const other = (await ctx.inboxes()).find((one) => one.id !== inbox.id && folderOf(mailboxOf(one)) === folder)
  if (!other) return []
  return [
    {
      path: mailbox.settings.user === '' ? '/address' : '/user',
      text: {
        zh: `渠道账号“${other.name}”已经在收取这个邮箱的同一个文件夹，每封信都会出现两次。请换一个邮箱或收信文件夹，或者先停用“${other.name}”。`,
        en: `The inbox “${other.name}” already reads this folder of this mailbox: every letter would be there twice. Take another mailbox or folder, or switch “${other.name}” off first.`,
      },
    },
  ]
}

/** Names of logins and hosts are the same in either case, and so is the folder INBOX (RFC 3501, 5.1). Undefined until it is known which it is. */
function folderOf({ user, imap, settings }: Mailbox): string | undefined {
  if (user === '' || imap.host === '') return undefined
  const folder = /^inbox$/i.test(settings.folder) ? 'INBOX' : settings.folder
  return [user.toLowerCase(), imap.host.toLowerCase(), folder].join('\n')
}
