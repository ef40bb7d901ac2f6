/** The folder of sent letters: a copy of each goes there, and after a send of unknown fate it is asked whether the provider kept one. */
import type { ImapFlow } from 'imapflow'
import { connectImap } from './connect.ts'
import type { Mailbox } from './inbox-settings.ts'
import type { OAuthContext } from './oauth.ts'

/** Special use first (RFC 6154), then the names Chinese providers give it. */
async function sentFolder(client: ImapFlow): Promise<string | undefined> {
  const folders = await client.list()
  return (
    folders.find((folder) => folder.specialUse === '\\Sent')?.path ??
    folders.find(({ path }) => /^(?:INBOX[./])?(?:Sent(?: Messages| Items| Mail)?|已发送|已发送邮件|已傳送郵件|寄件備份)$/i.test(path))?.path
  )
}

async function holds(client: ImapFlow, folder: string, messageId: string): Promise<boolean> {
  const lock = await client.getMailboxLock(folder, { readOnly: true })
  try {
    const found = await client.search({ header: { 'message-id': messageId } }, { uid: true })
    return Array.isArray(found) && found.length > 0
  } finally {
    lock.release()
  }
}

async function inMailbox<T>(ctx: OAuthContext, mailbox: Mailbox, work: (client: ImapFlow) => Promise<T>): Promise<T> {
  const client = await connectImap(ctx, mailbox)
  try {
    return await work(client)
  } finally {
    await client.logout().catch(() => client.close())
  }
}

/** Did the provider keep a copy of this letter? Then it went out. */
export function wasSent(ctx: OAuthContext, mailbox: Mailbox, messageId: string): Promise<boolean> {
  return inMailbox(ctx, mailbox, async (client) => {
    const folder = await sentFolder(client)
    return folder ? holds(client, folder, messageId) : false
  })
}

/** Puts a copy there unless there is one: some providers keep their own, and this may be a second try. */
export function appendSent(ctx: OAuthContext, mailbox: Mailbox, messageId: string, raw: Buffer, at: Date): Promise<'appended' | 'there' | 'no-folder'> {
  return inMailbox(ctx, mailbox, async (client) => {
    const folder = await sentFolder(client)
    if (!folder) return 'no-folder'
    if (await holds(client, folder, messageId)) return 'there'
    await client.append(folder, raw, ['\\Seen'], at)
    return 'appended'
  })
}
