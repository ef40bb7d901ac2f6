/** In: prove who speaks, note what an answer needs, hand the event over. */
import type { ChannelInbox, RawRequest, ReceiveResult } from '@huike/core/sdk/channel.ts'
import { HubError } from '@huike/core/sdk/errors.ts'
import { Account, AuthorisationNews } from './account.entity.ts'
import type { Ctx } from './context.ts'
import { challengeOf, type Decoded, decode } from './decode.ts'
import { handOver } from './hand-over.ts'
import type { InboxSettings } from './inbox-settings.ts'
import { rememberPeer } from './peers.ts'
import { prove, provenAt } from './prove.ts'
import { isSigned } from './signature.ts'
import { keepStray } from './strays.ts'
import { accountOf, finishNotice, isLeftBehind, reportHealth, revoke } from './tokens.ts'

/** Small JSON with 200: anything else, or five seconds of silence, and it comes again. */
const thanks: ReceiveResult['reply'] = { type: 'application/json', body: '{"code":0,"message":"success"}' }

export async function receive(ctx: Ctx, request: RawRequest, inbox: ChannelInbox): Promise<ReceiveResult> {
  const { clientKey, clientSecret, webhookSecret } = inbox.settings as InboxSettings
  const signature = request.headers['x-douyin-signature']
  if (!isSigned(webhookSecret || clientSecret, request.body, signature)) return answerSetup(ctx, request, inbox, signature)
  await prove(ctx, inbox)

  // One address for the whole app: it may speak of an account that has an inbox of its own.
  const accounts = await ctx.em().find(Account, { clientKey }, { limit: 500, disableIdentityMap: true })
  const decoded = decode(request.body, request.headers['msg-id'], (openId) => accounts.some((account) => account.openId === openId))
  if (decoded.kind === 'challenge') return { events: [], reply: { type: 'application/json', body: decoded.body } }
  const named = accounts.find((account) => account.openId === decoded.account)
  const owner = named && named.inboxId !== inbox.id && (await isLeftBehind(ctx, named)) ? undefined : named
  if (decoded.kind === 'authorisation') {
    await takeAuthorisation(ctx, owner?.inboxId ?? inbox.id, clientKey, decoded)
    return { events: [], reply: thanks }
  }
  // Authorised for another account: this push is not for it, and its token must not answer it.
  if (!owner && decoded.account !== '' && accounts.some(({ inboxId }) => inboxId === inbox.id)) {
    await keepStray(ctx, inbox, request.body.toString('utf8'), request.headers['msg-id'])
    return { events: [], reply: thanks }
  }
  if (owner && owner.inboxId !== inbox.id) {
    await handOver(ctx, owner.inboxId, decoded)
    return { events: [], reply: thanks }
  }
  if (decoded.peer) await rememberPeer(ctx, inbox.id, decoded.peer)
  return { events: [decoded.event], reply: thanks }
}

/** The operator's own deed, in Douyin. It is kept for the admin's page; what it asks of an admin, or of us, is said at once, unless the inbox is off. */
async function takeAuthorisation(
  ctx: Ctx,
  inboxId: string,
  clientKey: string,
  { account, change, id, at }: Extract<Decoded, { kind: 'authorisation' }>,
): Promise<void> {
  ctx.log.info({ inbox: inboxId, change }, 'the operator changed the authorisation')
  const kept = await accountOf(ctx, inboxId)
  // One of the app before says nothing about this one's.
  const known = kept?.clientKey === clientKey ? kept : null
  if (known ? known.openId !== account : change !== 'given') return
  const em = ctx.em()
  const pushId = id.slice(0, 130)
  const told = await em.findOne(AuthorisationNews, { inboxId, pushId }, { disableIdentityMap: true })
  if (!told) await em.upsert(AuthorisationNews, { inboxId, pushId, change, at }, { onConflictAction: 'ignore' })
  // A repeat that comes late must not undo what came after it.
  else if (change === 'given') return
  const inbox = await ctx.inbox(inboxId)
  if (change === 'given' && inbox) await takeGiven(ctx, inbox, known)
  if (change === 'taken' && known && (told?.at ?? at) >= known.authorisedAt) {
    await revoke(ctx, inboxId)
    await ctx.endNotice(finishNotice, inboxId)
  }
  // Nothing has failed yet, and it may well soon.
  if (change === 'contract-ended' && inbox) await tellContractEnded(ctx, inbox)
  // Contracts change scopes: the next call shows it.
  if (change === 'contract') await ctx.endNotice(contractNotice, inboxId)
}

/** Our tokens are good: all is well. Else they come only by the admin's own way back from Douyin, which is one button away. */
async function takeGiven(ctx: Ctx, { id: inboxId, name }: ChannelInbox, known: Account | null): Promise<void> {
  if (known && !known.revokedAt) return reportHealth(ctx, known)
  const error = { zh: '抖音账号已同意授权，还差最后一步', en: 'The Douyin account has given its consent; one step is left' }
  const remedy = {
    zh: '在此渠道账号的设置里点「授权抖音账号」或「重新授权」，完成后即可收发私信。',
    en: 'Press “Authorise a Douyin account” or “Authorise again” in this inbox’s settings: then messages come and go.',
  }
  await ctx.health(inboxId, { state: 'unauthorised', error, remedy })
  await ctx.notify({
    to: { permission: 'inbox.manage' },
    kind: finishNotice,
    key: inboxId,
    level: 'info',
    title: { zh: `“${name}”：${error.zh}`, en: `“${name}”: ${error.en}` },
    body: remedy,
    link: `/admin/inboxes/${inboxId}`,
  })
}

const contractNotice = 'contract'

async function tellContractEnded(ctx: Ctx, { id: inboxId, name }: ChannelInbox): Promise<void> {
  await ctx.notify({
    to: { permission: 'inbox.manage' },
    kind: contractNotice,
    key: inboxId,
    level: 'problem',
    title: { zh: `“${name}”的抖音签约授权已解除`, en: `A Douyin contract of “${name}” has ended` },
    body: {
      zh: '运营者在抖音解除了签约授权，部分私信能力可能不再可用。如非本意，请让运营者在抖音 App 重新签约，再到渠道账号做一次连接测试。',
      en: 'The operator has ended it in Douyin; some of what messages need may not work any more. If that was not meant, have it signed again in the Douyin app and try the connection of the inbox.',
    },
    link: `/admin/inboxes/${inboxId}`,
  })
}

/** Before the first signed push, the platform's trial of the address may come unsigned; a wrong signature never passes. */
async function answerSetup(ctx: Ctx, request: RawRequest, inbox: ChannelInbox, signature: string | undefined): Promise<ReceiveResult> {
  const challenge = signature === undefined ? challengeOf(request.body) : undefined
  if (challenge === undefined || (await provenAt(ctx, inbox))) throw new HubError('HUB_CHANNEL_UNVERIFIED', 'The signature is wrong')
  return { events: [], reply: { type: 'application/json', body: challenge } }
}
