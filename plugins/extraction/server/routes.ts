/** What the interfaces ask: marks of what is on the screen, a contact's facts, a person's verdict, the rules. */
import { randomBytes } from 'node:crypto'
import type { Asker } from '@huike/core/sdk/contacts.ts'
import { HubError } from '@huike/core/sdk/errors.ts'
import { Id } from '@huike/core/sdk/wire/common.ts'
import type { FastifyInstance } from 'fastify'
import { type Static, Type } from 'typebox'
import { decide, type Verdict } from './decide.ts'
import { extract } from './extract/extract.ts'
import { isMasked } from './extract/masked.ts'
import { type Kind, kinds } from './extract/tables.ts'
import { Fact, Mark } from './fact.entity.ts'
import { addRule, dropRule, listRules, ruleSet, switchRule } from './rules.ts'
import { type Ctx, fieldOf, personalOf } from './settings.ts'
import { shown } from './shown.ts'
import { weigh } from './weigh.ts'

/** As many as a screen holds. */
const mostAsked = 200
const mostFacts = 100

export function routes(app: FastifyInstance, ctx: Ctx): void {
  const mayKnow = (asker: Asker, kind: Kind): boolean => {
    const personal = personalOf[kind]
    return personal === undefined || asker.maySee(personal)
  }

  const Asked = Type.Object({ conversations: Type.Array(Id, { maxItems: mostAsked }), messages: Type.Array(Id, { maxItems: mostAsked }) })
  // Asks, changes nothing: in a preview too.
  app.post('/marks', { config: { access: 'agent', inPreview: true }, schema: { body: Asked } }, async (request) => {
    const asker = ctx.asker(request)
    const { conversations, messages } = request.body as Static<typeof Asked>
    const em = ctx.em()
    const inMessages = messages.length > 0 ? await em.find(Mark, { messageId: { $in: messages } }, { limit: 2_000, disableIdentityMap: true }) : []
    const visible = new Set(await asker.conversations([...new Set([...conversations, ...inMessages.map((mark) => mark.conversationId)])]))
    const wanted = conversations.filter((id) => visible.has(id))
    const inRows =
      wanted.length > 0
        ? await em.find(
            Mark,
            { conversationId: { $in: wanted } },
            { fields: ['conversationId', 'factId'], orderBy: { conversationId: 'asc', factId: 'asc' }, limit: 5_000, disableIdentityMap: true },
          )
        : []
    const ids = [...new Set([...inRows, ...inMessages].map(({ factId }) => factId))]
    const facts = new Map(
      ids.length > 0 ? (await em.find(Fact, { id: { $in: ids }, state: { $ne: 'refused' } }, { disableIdentityMap: true })).map((fact) => [fact.id, fact]) : [],
    )
    const rows: Record<string, Kind[]> = {}
    for (const { conversationId, factId } of inRows) {
      const fact = facts.get(factId)
      // Nor is a masked number one to call.
      if (fact?.whose !== '' || isMasked(fact.normal)) continue
      const row = (rows[conversationId] ??= [])
      if (!row.includes(fact.kind)) row.push(fact.kind)
    }
    for (const row of Object.values(rows)) row.sort((a, b) => kinds.indexOf(a) - kinds.indexOf(b))
    const marks: Record<string, object[]> = {}
    for (const mark of inMessages) {
      const fact = facts.get(mark.factId)
      // Who may not see the value is not shown the phrase either.
      if (!fact || !visible.has(mark.conversationId) || !mayKnow(asker, fact.kind)) continue
      const list = (marks[mark.messageId] ??= [])
      list.push({ part: mark.part, start: mark.startAt, end: mark.endAt, fact: present(asker, fact) })
    }
    return { rows, marks }
  })

  const present = (asker: Asker, fact: Fact) => {
    const masked = !mayKnow(asker, fact.kind)
    const text = shown(fact.kind, fact.normal, fact.createdAt)
    const personal = personalOf[fact.kind]
    // An account may be a number that they do not see.
    const seen = (words: string) => (personal ? asker.mask(personal, words) : asker.maskText(words))
    return {
      id: fact.id,
      kind: fact.kind,
      field: fieldOf[fact.kind],
      value: masked ? '' : seen(fact.value),
      normal: masked ? '' : seen(fact.normal),
      shown: masked && fact.kind === 'wechat' ? `${text.slice(0, 1)}****` : seen(text),
      masked,
      whose: fact.whose,
      rule: fact.rule,
      confidence: fact.confidence,
      state: fact.state,
      at: fact.createdAt.toISOString(),
    }
  }

  /**
   * Of these facts of one contact those that the asker may know of, with where they may read each: it stands in a
   * conversation that they may read, or in the contact's field. A contact in several lines of business is seen by each.
   */
  async function knownTo(asker: Asker, contactId: string, facts: readonly Fact[]): Promise<Map<Fact, Mark | undefined>> {
    if (facts.length === 0) return new Map()
    const em = ctx.em()
    const marks = await em.find(Mark, { factId: { $in: facts.map(({ id }) => id) } }, { orderBy: { seq: 'asc' }, limit: 1_000, disableIdentityMap: true })
    const visible = new Set(await asker.conversations([...new Set(marks.map((mark) => mark.conversationId))]))
    const fields = await ctx.contacts.read(contactId, [...new Set(facts.map(({ kind }) => fieldOf[kind]))])
    return new Map(
      facts.flatMap((fact): [Fact, Mark | undefined][] => {
        const place = marks.find((mark) => mark.factId === fact.id && visible.has(mark.conversationId))
        return place || fields[fieldOf[fact.kind]] === shown(fact.kind, fact.normal, fact.createdAt) ? [[fact, place]] : []
      }),
    )
  }

  const Params = Type.Object({ id: Id })
  app.get('/contacts/:id/facts', { config: { access: 'agent' }, schema: { params: Params } }, async (request) => {
    const asker = ctx.asker(request)
    const contactId = await asker.contact((request.params as Static<typeof Params>).id)
    const facts = await ctx.em().find(Fact, { contactId }, { orderBy: { createdAt: 'desc', id: 'desc' }, limit: mostFacts, disableIdentityMap: true })
    return {
      items: [...(await knownTo(asker, contactId, facts))].map(([fact, place]) => {
        return {
          ...present(asker, fact),
          source: place
            ? {
                conversationId: place.conversationId,
                messageId: place.messageId,
                seq: place.seq,
                part: place.part,
                start: mayKnow(asker, fact.kind) ? place.startAt : null,
                end: mayKnow(asker, fact.kind) ? place.endAt : null,
              }
            : null,
        }
      }),
    }
  })

  const FactParams = Type.Object({ id: Type.String({ pattern: '^[0-9a-f]{32}$' }) })
  for (const verdict of ['accept', 'refuse', 'undo'] as const satisfies readonly Verdict[])
    app.post(`/facts/:id/${verdict}`, { config: { access: { permission: 'contact.update' } }, schema: { params: FactParams } }, async (request) => {
      const asker = ctx.asker(request)
      const fact = await ctx.em().findOne(Fact, { id: (request.params as Static<typeof FactParams>).id }, { disableIdentityMap: true })
      if (!fact) throw new HubError('HUB_NOT_FOUND', 'There is no such fact')
      const contactId = await asker.contact(fact.contactId)
      if ((await knownTo(asker, contactId, [fact])).size === 0) throw new HubError('HUB_NOT_FOUND', 'There is no such fact')
      if (!mayKnow(asker, fact.kind)) throw new HubError('HUB_FORBIDDEN', 'You may not change what you may not see')
      await decide(ctx, fact, verdict, asker.agentId)
      return { ok: true }
    })

  const manage = { access: { permission: 'extraction.rule.manage' } }
  app.get('/rules', { config: manage }, () => listRules(ctx))
  // They are saved where every plugin's are, by who may manage plugins.
  app.get('/settings', { config: manage }, (request) => ({ settings: ctx.settings, mayChange: ctx.asker(request).can('plugin.manage') }))

  const RuleParams = Type.Object({ id: Type.String({ pattern: '^[a-z0-9.-]{3,40}$' }) })
  app.put('/rules/:id', { config: manage, schema: { params: RuleParams, body: Type.Object({ enabled: Type.Boolean() }) } }, async (request) => {
    await switchRule(ctx, (request.params as Static<typeof RuleParams>).id, (request.body as { enabled: boolean }).enabled)
    return { ok: true }
  })

  const Words = Type.Array(Type.String({ minLength: 1, maxLength: 30 }), { maxItems: 50 })
  const RuleInput = Type.Object({
    kind: Type.Union(kinds.map((kind) => Type.Literal(kind))),
    words: Words,
    not: Type.Optional(Words),
    shape: Type.Union([Type.Literal('digits'), Type.Literal('account'), Type.Literal('word')]),
    min: Type.Optional(Type.Integer({ minimum: 1, maximum: 40 })),
    max: Type.Optional(Type.Integer({ minimum: 1, maximum: 40 })),
    confidence: Type.Optional(Type.Number({ minimum: 0.3, maximum: 1 })),
    normal: Type.Optional(Type.String({ maxLength: 60 })),
  })
  app.post('/rules', { config: manage, schema: { body: RuleInput } }, async (request, reply) => {
    const input = request.body as Static<typeof RuleInput>
    const rule = await addRule(ctx, `own.${randomBytes(10).toString('hex')}`, { not: [], min: 5, max: 20, confidence: 0.8, normal: '', ...input })
    return reply.status(201).send(rule)
  })
  app.delete('/rules/:id', { config: manage, schema: { params: RuleParams } }, async (request) => {
    await dropRule(ctx, (request.params as Static<typeof RuleParams>).id)
    return { ok: true }
  })

  const Try = Type.Object({ text: Type.String({ maxLength: 5_000 }) })
  app.post(
    '/try',
    { config: { ...manage, rateLimit: { max: 120, timeWindow: 60_000 } }, schema: { summary: 'Try the rules on a text', body: Try } },
    async (request) => {
      const { settings } = ctx
      const { off, own } = await ruleSet(ctx)
      const found = extract((request.body as Static<typeof Try>).text, {
        kinds: kinds.filter((kind) => settings[`${kind}On`]),
        off,
        own,
        ours: settings.ours,
        others: settings.others,
      })
      return {
        items: found.map(({ kind, rule, value, normal, confidence, whose, spans }) => {
          const percent = Math.round(confidence * 100)
          const { act } = weigh({ kind, rule, normal, whose: whose ?? '', confidence: percent }, settings)
          return {
            kind,
            rule,
            value,
            normal,
            shown: shown(kind, normal, new Date()),
            confidence: percent,
            whose: whose ?? '',
            act,
            start: spans[0]?.start ?? 0,
            end: spans[0]?.end ?? 0,
          }
        }),
      }
    },
  )
}
