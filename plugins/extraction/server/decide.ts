/** A person's word on a fact: accept, refuse, and taking either back. It stays whatever is found later. */
import { HubError } from '@huike/core/sdk/errors.ts'
import { isContact, kinds } from './extract/tables.ts'
import { Fact, type FactState, Mark } from './fact.entity.ts'
import { tag } from './read-message.ts'
import { type Ctx, fieldOf } from './settings.ts'
import { shown } from './shown.ts'
import { isShownOnly } from './weigh.ts'

export type Verdict = 'accept' | 'refuse' | 'undo'

const from: Record<Verdict, readonly FactState[]> = {
  accept: ['suggested', 'noted', 'refused'],
  refuse: ['suggested', 'noted', 'filled'],
  undo: ['accepted', 'refused'],
}

/** Throws HUB_CONFLICT when somebody was faster, or for an age that is somebody else's, for a masked number and a mere hint. */
export async function decide(ctx: Ctx, fact: Fact, verdict: Verdict, byAgentId: string): Promise<void> {
  if (!from[verdict].includes(fact.state)) throw new HubError('HUB_CONFLICT', 'This has been decided already')
  if (verdict === 'accept' && fact.whose !== '' && !isContact(fact.kind)) throw new HubError('HUB_CONFLICT', 'This is somebody else’s age')
  if (verdict === 'accept' && isShownOnly(fact)) throw new HubError('HUB_CONFLICT', 'This is no value for a field')
  const state = verdict === 'accept' ? 'accepted' : verdict === 'refuse' ? 'refused' : isShownOnly(fact) ? 'noted' : 'suggested'
  const now = new Date()
  const decided = verdict === 'undo' ? { decidedById: null, decidedAt: null } : { decidedById: byAgentId, decidedAt: now }
  // Whose update counts writes the contact.
  if ((await ctx.em().nativeUpdate(Fact, { id: fact.id, state: fact.state }, { state, settled: true, ...decided })) === 0)
    throw new HubError('HUB_CONFLICT', 'This has been decided already')
  const [field, value] = [fieldOf[fact.kind], shown(fact.kind, fact.normal, fact.createdAt)]
  const marks = await ctx
    .em()
    .find(Mark, { factId: fact.id }, { fields: ['conversationId', 'messageId'], orderBy: { messageId: 'asc' }, limit: 50, disableIdentityMap: true })
  if (verdict === 'accept') {
    const place = marks[0] ? { messageId: marks[0].messageId } : {}
    const { before } = await ctx.contacts.write(fact.contactId, field, value, { byAgentId, ...place })
    await ctx.em().nativeUpdate(Fact, { id: fact.id }, { before: before === value ? '' : before, tagged: await tag(ctx, fact) })
  } else await forgetBefore(ctx, fact, value)
  // What somebody wrote there since stays.
  if (verdict === 'refuse' && fact.state === 'filled') await ctx.contacts.write(fact.contactId, field, '', { byAgentId, instead: value })
  if (verdict === 'undo' && fact.state === 'accepted') await ctx.contacts.write(fact.contactId, field, fact.before, { byAgentId, instead: value })
  for (const conversationId of new Set(marks.map((mark) => mark.conversationId))) ctx.news(conversationId)
}

/** Whoever came after it would bring it back when taken back: they go back to what stood before it. */
async function forgetBefore(ctx: Ctx, fact: Fact, value: string): Promise<void> {
  const alike = kinds.filter((kind) => fieldOf[kind] === fieldOf[fact.kind])
  const later = await ctx.em().find(Fact, { contactId: fact.contactId, kind: { $in: alike }, state: 'accepted' }, { limit: 100, disableIdentityMap: true })
  for (const { id, before } of later)
    if (before === value && id !== fact.id) await ctx.em().nativeUpdate(Fact, { id, state: 'accepted' }, { before: fact.before })
}
