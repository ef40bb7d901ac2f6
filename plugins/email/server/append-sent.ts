/** The folder of sent letters: a copy of each goes there, and after a send of unknown fate it is asked whether the provider kept one. */
import type { ImapFlow } from 'imapflow'
import { loopHeader } from './classify.ts'
import { connectImap } from './connect.ts'
import { parseHeaders, parseMessageIds } from './headers.ts'
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

/** The id of the copy there: ours, or another where the provider changes it. Our mark begins with ours, and nobody changes that. `false`: the server refused to look. */
async function copyIn(client: ImapFlow, folder: string, messageId: string): Promise<string | undefined | false> {
  const lock = await client.getMailboxLock(folder, { readOnly: true })
  try {
    for (const header of ['message-id', loopHeader]) {
      const found = await client.search({ header: { [header]: messageId } }, { uid: true })
      // Our own header not every server looks for.
      if (!Array.isArray(found) && header === 'message-id') return false
      const [uid] = Array.isArray(found) ? found : []
      if (uid === undefined) continue
      const copy = await client.fetchOne(String(uid), { uid: true, headers: ['message-id'] }, { uid: true })
      const [id] = copy ? parseMessageIds(parseHeaders(copy.headers ?? Buffer.alloc(0)).raw('message-id'), 1) : []
      return id ?? messageId
    }
    return undefined
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

/** The id of the copy that the provider kept of this letter: then it went out. Throws where nobody could look. */
export function wasSent(ctx: OAuthContext, mailbox: Mailbox, messageId: string): Promise<string | undefined> {
  return inMailbox(ctx, mailbox, async (client) => {
    const folder = await sentFolder(client)
    const copy = folder ? await copyIn(client, folder, messageId) : undefined
    if (copy === false) throw new Error('the server refused the search')
    return copy
  })
}

/** Puts a copy there unless there is one: some providers keep their own, whose id is returned, and this may be a second try. */
export function appendSent(ctx: OAuthContext, mailbox: Mailbox, messageId: string, raw: Buffer, at: Date): Promise<string | undefined> {
  return inMailbox(ctx, mailbox, async (client) => {
    const folder = await sentFolder(client)
    if (!folder) return undefined
    const there = await copyIn(client, folder, messageId)
    if (!there) await client.append(folder, raw, ['\\Seen'], at)
    return there || undefined
  })
}
