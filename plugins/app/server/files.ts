/** Files to the client by a link that opens one file for a week; files from the client by upload or by address. */
import { timingSafeEqual } from 'node:crypto'
import { type ChannelInbox, type FetchedFile, SendError } from '@huike/core/sdk/channel.ts'
import { download, RemoteError } from '@huike/core/sdk/remote.ts'
import { hashOf } from './decode.ts'
import type { Ctx } from './settings.ts'

/** Longer than a message is tried for. */
const linkMs = 7 * 86_400_000

const signatureOf = (ctx: Pick<Ctx, 'sign'>, inboxId: string, fileId: string, until: string) => ctx.sign(`file:${inboxId}:${fileId}:${until}`)

export function fileLink(ctx: Pick<Ctx, 'sign' | 'publicUrl'>, inboxId: string, fileId: string, now = Date.now()): string {
  const until = String(now + linkMs)
  return `${ctx.publicUrl}/api/x/app/inboxes/${inboxId}/files/${fileId}?until=${until}&signature=${signatureOf(ctx, inboxId, fileId, until)}`
}

export function isFileLink(ctx: Pick<Ctx, 'sign'>, inboxId: string, fileId: string, until: string, signature: string, now = Date.now()): boolean {
  const expected = Buffer.from(signatureOf(ctx, inboxId, fileId, until))
  const given = Buffer.from(signature)
  return expected.length === given.length && timingSafeEqual(expected, given) && Number(until) > now
}

/** Throws SendError. */
export async function fetchFile(ctx: Ctx, ref: string, _inbox: ChannelInbox): Promise<FetchedFile> {
  const { url, sha256 } = JSON.parse(ref) as { url: string; sha256?: string }
  try {
    const file = await download(url, { maxBytes: 20 * 1024 * 1024, allowPrivate: ctx.settings.allowPrivateAddresses })
    if (sha256 && hashOf(file.bytes) !== sha256) throw new SendError('sha256', { retry: false, message: 'the file is not the one that was announced' })
    return file
  } catch (error) {
    if (error instanceof SendError) throw error
    const reason = error instanceof RemoteError ? error.reason : 'unreachable'
    throw new SendError(reason, { retry: reason === 'unreachable' || reason === 'timeout' || reason === 'status', message: (error as Error).message })
  }
}
