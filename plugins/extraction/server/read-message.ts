/** A customer's message, from top to bottom: read with what was said just before, written down, filled in, tagged, told. */
import type { HubEvent, MessageFacts } from '@huike/core/sdk/events.ts'
import type { MessagePart } from '@huike/core/sdk/message-parts.ts'
import { tagWords } from '../tag-words.ts'
import { isAmong, valuesIn } from './extract/echoes.ts'
import { extract, type Found, othersOwn, type Segment } from './extract/extract.ts'
import { isContact, kinds } from './extract/tables.ts'
import { Fact, longestNormal, longestValue, Mark } from './fact.entity.ts'
import { ruleSet } from './rules.ts'
import { type Ctx, fieldOf } from './settings.ts'
import { shown } from './shown.ts'
import { weigh } from './weigh.ts'

/** What is split over messages comes within this time and so many of them. */
const togetherMs = 3 * 60_000
const together = 10
/** Of a conversation's messages so many are asked at once, and so many in all, for what our own people wrote first. */
const atOnce = 50
const mostAsked = 1_000

interface Piece extends Segment {
  message: MessageFacts
  part: number
}

export async function readMessage(ctx: Ctx, { data }: HubEvent<'message.received'>): Promise<void> {
  const { message, conversation } = data
  // A machine's letter is nobody's word.
  if (message.meta?.automatic) return
  const since = new Date(Date.parse(message.at) - togetherMs)
  const said = await ctx.recent(conversation.id, { upToSeq: message.seq, limit: together, since })
  // A number goes on from message to message of one person.
  const writer = said.find(({ id }) => id === message.id)?.identityId
  const pieces = said.filter(({ direction, identityId }) => direction === 'out' || identityId === writer).flatMap(piecesOf)
  // Taken back meanwhile, or without a word.
  if (!pieces.some((piece) => piece.message.id === message.id)) return

  const { settings } = ctx
  const { off, own } = await ruleSet(ctx)
  const all = extract(pieces, { kinds: kinds.filter((kind) => settings[`${kind}On`]), off, own, ours: settings.ours, others: settings.others })
  // An event of before the hub told who wrote is of the one whose conversation it is.
  const inCopy = (message.identityId ?? conversation.identityId) !== conversation.identityId
  const read = (inCopy ? othersOwn(all) : all).filter(
    ({ confidence, touches }) => confidence >= settings.suggestFrom && touches.some((i) => pieces[i]?.message.id === message.id),
  )
  const found = read.length > 0 ? await withoutEchoes(ctx, read, pieces, conversation) : []
  if (found.length === 0) return

  const em = ctx.em()
  const ids = found.map(({ kind, normal }) => factId(ctx, conversation.identityId, kind, normal.slice(0, longestNormal)))
  await em.transactional(async (tx) => {
    for (const [i, one] of found.entries()) await write(tx, ids[i] as string, one, pieces, data)
  })
  // Whatever a process that died has left is settled by the next delivery of the same event.
  const open = await em.find(Fact, { id: { $in: ids }, settled: false }, { orderBy: { createdAt: 'asc', id: 'asc' }, disableIdentityMap: true })
  for (const fact of found.flatMap((_, i) => open.find(({ id }) => id === ids[i]) ?? [])) await settle(ctx, fact, data.message.id)
  ctx.news(conversation.id)
}

/**
 * A contact that one of us wrote in this conversation before the customer did is ours, not theirs. What is known already
 * they had said before.
 */
async function withoutEchoes(
  ctx: Ctx,
  found: readonly Found[],
  pieces: readonly Piece[],
  conversation: HubEvent<'message.received'>['data']['conversation'],
): Promise<readonly Found[]> {
  const idOf = ({ kind, normal }: Found) => factId(ctx, conversation.identityId, kind, normal.slice(0, longestNormal))
  const contacts = found.filter(({ kind }) => isContact(kind))
  if (contacts.length === 0) return found
  const known = new Set(
    (await ctx.em().find(Fact, { id: { $in: contacts.map(idOf) } }, { fields: ['id'], limit: contacts.length, disableIdentityMap: true })).map(({ id }) => id),
  )
  const fresh = new Set(contacts.filter((one) => !known.has(idOf(one))))
  if (fresh.size === 0) return found
  const saidAt = ({ spans }: Found) => (pieces[spans[0]?.segment ?? 0] as Piece).message.seq
  const echoes = new Set<Found>()
  let upToSeq = Math.max(...[...fresh].map(saidAt)) - 1
  for (let asked = 0; asked < mostAsked && upToSeq > 0 && echoes.size < fresh.size; asked += atOnce) {
    const messages = await ctx.recent(conversation.id, { upToSeq, limit: atOnce })
    for (const message of messages.filter(({ direction }) => direction === 'out')) {
      const values = valuesIn(message.parts.map(wordsOf).join('\n'))
      for (const one of fresh) if (message.seq < saidAt(one) && isAmong(one.normal, values)) echoes.add(one)
    }
    upToSeq = (messages[0]?.seq ?? 0) - 1
  }
  return found.filter((one) => !echoes.has(one))
}

/** Nothing of what both said in a call, or somebody noted: whose a number in it is nobody knows. */
function wordsOf(part: MessagePart): string {
  if (part.type === 'text') return part.reported ? '' : part.text
  return part.type === 'html' ? part.text : part.type === 'card' ? fieldsOf(part) : ''
}

/** Cards that customers fill in. What stands on any other (a shop's number, a mini-program's AppID) is passed on, and says nothing of who does. */
const filledIn = ['form', 'lead-form']

/** What words there are; a colleague's are only listened to. */
function piecesOf(message: MessageFacts): Piece[] {
  if (message.direction !== 'in' && message.direction !== 'out') return []
  const theirs = message.direction === 'out'
  return message.parts.flatMap((part, i) => {
    const text = part.type === 'card' && (theirs || !filledIn.includes(part.kind)) ? '' : wordsOf(part)
    return text === '' ? [] : [{ text, message, part: i, ...(theirs ? { theirs } : {}) }]
  })
}

/** The label announces what the value is. */
const fieldsOf = ({ fields = [] }: Extract<MessagePart, { type: 'card' }>): string =>
  fields
    .filter(({ value }) => value.trim() !== '')
    .map(({ label, value }) => `${label}: ${value}`)
    .join('\n')

/** Without the plugin's key nobody can try which number an id is made of. */
export const factId = (ctx: Pick<Ctx, 'sign'>, identityId: string, kind: string, normal: string): string =>
  Buffer.from(ctx.sign(`fact\n${identityId}\n${kind}\n${normal}`), 'base64url')
    .toString('hex')
    .slice(0, 32)

async function write(
  em: ReturnType<Ctx['em']>,
  id: string,
  found: Found,
  pieces: readonly Piece[],
  { message, conversation }: HubEvent<'message.received'>['data'],
): Promise<void> {
  await em.upsert(
    Fact,
    {
      id,
      keyed: true,
      identityId: conversation.identityId,
      contactId: message.contactId,
      kind: found.kind,
      normal: found.normal.slice(0, longestNormal),
      value: found.value.slice(0, longestValue),
      whose: found.whose ?? '',
      rule: found.rule,
      confidence: Math.round(found.confidence * 100),
      state: 'noted',
      settled: false,
      tagged: '',
      before: '',
      decidedById: null,
      decidedAt: null,
      createdAt: new Date(message.at),
    },
    { onConflictAction: 'ignore', disableIdentityMap: true },
  )
  for (const { segment, start, end } of found.spans) {
    const piece = pieces[segment] as Piece
    const mark = {
      messageId: piece.message.id,
      factId: id,
      part: piece.part,
      startAt: start,
      endAt: end,
      conversationId: conversation.id,
      seq: piece.message.seq,
    }
    await em.upsert(Mark, mark, { onConflictAction: 'ignore' })
  }
}

/** Fills the contact's empty field and puts the tag on, or leaves it to a person. Every step may be done twice. */
async function settle(ctx: Ctx, fact: Fact, messageId: string): Promise<void> {
  const { act, sure } = weigh(fact, ctx.settings)
  const value = shown(fact.kind, fact.normal, fact.createdAt)
  const filled = act === 'filled' && (await ctx.contacts.fill(fact.contactId, fieldOf[fact.kind], value, { messageId })) === 'filled'
  const tagged = sure ? await tag(ctx, fact) : ''
  // A person may have decided meanwhile: theirs stays.
  await ctx
    .em()
    .nativeUpdate(
      Fact,
      { id: fact.id, settled: false },
      { settled: true, tagged, state: act === 'filled' && !filled ? 'suggested' : act === 'ignored' ? 'noted' : act },
    )
}

/** Once for a contact: taken off by a person, it is not put on again. Returns the tag. */
export async function tag(ctx: Ctx, fact: Fact): Promise<string> {
  const name = ctx.settings[`${fact.kind}Tag`].trim()
  if (name === '' || (await ctx.em().count(Fact, { contactId: fact.contactId, tagged: name })) > 0) return name
  await ctx.contacts.tag(fact.contactId, tagWords[name] ?? name)
  return name
}
