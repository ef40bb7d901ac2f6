/** What mailboxes log in with: a token that is renewed by itself, or a password, which does not end. */
import type { ChannelInbox, Credential } from '@huike/core/sdk/channel.ts'
import type { PluginContext } from '@huike/core/sdk/plugin.ts'
import { mailboxOf } from './inbox-settings.ts'
import { Token } from './letter.entity.ts'

/** By inbox; one that has not been authorised yet has none. */
export async function credentialsOf(ctx: Pick<PluginContext, 'em'>, inboxes: readonly ChannelInbox[]): Promise<Map<string, Credential>> {
  const mailboxes = inboxes.map(mailboxOf)
  const byToken = mailboxes.filter(({ settings }) => settings.login === 'oauth')
  const rows = await ctx
    .em()
    .find(Token, { inboxId: { $in: byToken.map(({ inboxId }) => inboxId) } }, { fields: ['inboxId', 'account', 'expiresAt'], disableIdentityMap: true })
  const tokens = new Map(rows.map(({ inboxId, account, expiresAt }) => [`${inboxId} ${account}`, expiresAt]))
  return new Map(
    mailboxes.flatMap(({ inboxId, address, settings }): [string, Credential][] => {
      if (settings.login !== 'oauth') return [[inboxId, { kind: 'lasting' }]]
      const validUntil = tokens.get(`${inboxId} ${address}`)
      return validUntil ? [[inboxId, { kind: 'token', validUntil }]] : []
    }),
  )
}
