/** The only way evidence becomes JSON: its value as the reader may see it, its messages for who may read them. */
import type { LocalText } from '../../../sdk/channel.ts'
import { commonSubject } from '../../../sdk/person-names.ts'
import type { EvidenceOrigin } from '../../../sdk/wire/contact.ts'
import type { HubAbility } from '../../access/ability.ts'
import { maskField } from '../../access/mask-field.ts'
import { whereAllowed } from '../../access/scope.ts'
import type { Hub } from '../../hub.ts'
import { Conversation } from '../conversation/conversation.entity.ts'
import { Message } from '../message/message.entity.ts'
import type { Evidence, Origin } from './contact.entity.ts'
import { isMatched } from './filled-in.ts'

/** @param ownIds the contact of whom is asked, and those who became them */
export async function evidencePresenter(hub: Hub, ability: HubAbility, ownIds: readonly string[], all: readonly Evidence[]) {
  const places = await readablePlaces(
    hub,
    ability,
    all.flatMap(({ origins = [] }) => origins.flatMap(({ messageId }) => messageId ?? [])),
  )
  const labels = new Map(hub.kernel.running().map(({ manifest }) => [manifest.id, manifest.label]))
  const presentOrigin = ({ contactId, by, inboxId, agentId, plugin, messageId }: Origin): EvidenceOrigin => ({
    side: ownIds.includes(contactId) ? 'this' : 'other',
    by,
    inboxId: inboxId ?? null,
    agentId: agentId ?? null,
    plugin: labels.get(plugin ?? '') ?? null,
    message: places.get(messageId ?? '') ?? null,
  })
  return ({ kind, value, verified, origins = [] }: Evidence) => ({
    kind,
    // An id of a platform says nothing to a person.
    value: isMatched(kind) ? maskField(ability, kind, value) : '',
    verified,
    origins: origins.map(presentOrigin),
  })
}

/** What speaks against two being one, in words; which names they are says nothing to a person. */
export function contradictionWords(slot: string): LocalText {
  const [kind, subject = ''] = slot.split('\n')
  const [zh, en] = ['', commonSubject].includes(subject) ? ['', ''] : [`「${subject}」`, ` “${subject}”`]
  return kind === 'unionid'
    ? {
        zh: `两人在同一个微信开放平台主体${zh}里的 UnionID 不同，而一个人在那里只有一个`,
        en: `Their UnionIDs in the same WeChat open platform${en} differ, and one person has exactly one there`,
      }
    : {
        zh: `两人在同一个用户体系${zh}里的用户 ID 不同，而一个人在那里只有一个`,
        en: `Their user IDs in the same user base${en} differ, and one person has exactly one there`,
      }
}

async function readablePlaces(hub: Hub, ability: HubAbility, messageIds: readonly string[]): Promise<Map<string, { conversationId: string; seq: number }>> {
  const allowed = whereAllowed(ability, 'read', 'conversation')
  if (!allowed || messageIds.length === 0) return new Map()
  const em = hub.em()
  const messages = await em.find(Message, { id: { $in: [...new Set(messageIds)] } }, { fields: ['id', 'conversationId', 'seq'], disableIdentityMap: true })
  const within = { id: { $in: messages.map(({ conversationId }) => conversationId) } }
  const readable = new Set((await em.find(Conversation, { $and: [within, allowed] }, { fields: ['id'], disableIdentityMap: true })).map(({ id }) => id))
  return new Map(messages.flatMap(({ id, conversationId, seq }) => (readable.has(conversationId) ? [[id, { conversationId, seq }]] : [])))
}
