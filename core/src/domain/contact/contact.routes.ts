/** Contacts: whoever may see a conversation of theirs may see them. */
import { Type } from 'typebox'
import { HubError } from '../../../sdk/errors.ts'
import { Id, IdParams, Ok, Page } from '../../../sdk/wire/common.ts'
import { ContactPatch, CustomFields, Activity as WireActivity, Contact as WireContact, Visit as WireVisit } from '../../../sdk/wire/contact.ts'
import { Conversation as WireConversation } from '../../../sdk/wire/conversation.ts'
import { keepHidden } from '../../access/keep-hidden.ts'
import { maySee, type PersonalField } from '../../access/mask.ts'
import { maskText } from '../../access/mask-text.ts'
import { contactFields } from '../../access/permissions.ts'
import { whereAllowed, whereInLines, whereVisits } from '../../access/scope.ts'
import { beforeRow, encodeCursor } from '../../db/keyset.ts'
import type { Em } from '../../db/orm.ts'
import { pick } from '../../db/pick.ts'
import { retryOnConflict } from '../../db/retry.ts'
import { columnsOf, readRaw, rowOf, sql } from '../../db/statements.ts'
import { type Actor, actorOf } from '../../http/auth.ts'
import type { App } from '../../http/server.ts'
import type { Hub } from '../../hub.ts'
import { commitWithEvents } from '../conversation/change.ts'
import { Conversation } from '../conversation/conversation.entity.ts'
import { present } from '../conversation/conversation.routes.ts'
import { tellOnce } from '../conversation/tell-once.ts'
import { among, any, sqlWhere } from '../record/find/sql-where.ts'
import { changeSettings } from '../setting/tell-settings.ts'
import { ContactTag, Tag } from '../tag/tag.entity.ts'
import { Visit } from '../visit/visit.entity.ts'
import { presentVisit } from '../visit/visit.present.ts'
import { blockIdentity } from './block-identity.ts'
import { Activity, BlockedAddress, Contact, ContactField, Identity } from './contact.entity.ts'
import { presentActivity, presentContact } from './contact.present.ts'
import { checkCustomValue, readCustomFields, writeCustomFields } from './custom-fields.ts'
import { declaredFields, notePerson, writeDeclared } from './fields.ts'
import { survivorOf } from './survivor.ts'

/** The contact, if a conversation of theirs may be seen; one that was merged is who it became. */
export async function findReadableContact(em: Em, actor: Actor, asked: string): Promise<Contact> {
  const id = await survivorOf(em, asked)
  const allowed = whereAllowed(actor.ability, 'read', 'conversation')
  const contact = await em.findOne(Contact, { id }, { disableIdentityMap: true })
  const visible = contact && allowed && (await em.findOne(Conversation, { $and: [{ contactId: id }, allowed] }, { fields: ['id'], disableIdentityMap: true }))
  if (!visible) throw new HubError('HUB_NOT_FOUND', 'There is no such contact')
  return contact
}

/** Those of these contacts of whom a conversation may be seen, by id. */
export async function findReadableContacts(em: Em, actor: Actor, ids: readonly string[]): Promise<Map<string, Contact>> {
  const allowed = whereAllowed(actor.ability, 'read', 'conversation')
  if (!allowed || ids.length === 0) return new Map()
  const rows = await readRaw<object>(
    em,
    sql`select ${columnsOf(em, Contact, 'p')} from contact p
        where ${among('p.id', [...new Set(ids)])} and exists (select 1 from conversation c where c.contact_id = p.id and ${sqlWhere(em, allowed)})`,
  )
  return new Map(rows.map((row) => rowOf(em, Contact, row)).map((contact) => [contact.id, contact]))
}

/** Throws HUB_NOT_FOUND for an identity that is not this contact's, or in no inbox in which the reader may read. */
export async function checkInLines(em: Em, { ability }: Actor, contactId: string, identityIds: readonly string[]): Promise<void> {
  const ids = [...new Set(identityIds)]
  if ((await em.count(Identity, { id: { $in: ids }, contactId, ...whereInLines(ability) })) < ids.length)
    throw new HubError('HUB_NOT_FOUND', 'There is no such identity')
}

/**
 * Those of a contact's identities that go where this reader moves them: in an inbox in which they may read, with a
 * conversation that they may read where there is any. What is a colleague's alone stays.
 */
export async function reachedIdentities(em: Em, { ability }: Actor, contactId: string, identityIds: readonly string[]): Promise<string[]> {
  const allowed = whereAllowed(ability, 'read', 'conversation')
  const rows = await readRaw<{ id: string }>(
    em,
    sql`select i.id as id from identity i
        where ${among('i.id', [...new Set(identityIds)])} and ${sqlWhere(em, { contactId, ...whereInLines(ability) }, { entity: Identity, alias: 'i' })}
          and (not exists (select 1 from conversation c where c.identity_id = i.id)
            or exists (select 1 from conversation c where c.identity_id = i.id and ${allowed ? sqlWhere(em, allowed) : any([])}))`,
  )
  return rows.map(({ id }) => id)
}

/** Whoever talks with a contact works with their profile; everybody else who opens it has looked at it. */
export async function tellContactView(hub: Hub, em: Em, actor: Actor, contactId: string): Promise<void> {
  if ((await em.count(Conversation, { contactId, assigneeId: actor.agent.id, status: 'open' })) > 0) return
  await tellOnce(hub, [{ same: ['contact', actor.agent.id, contactId], event: { name: 'contact.viewed', data: { contactId } } }])
}

export function contactRoutes(app: App, hub: Hub): void {
  const config = { access: 'agent' as const }
  /** Those who show this contact fetch it again. */
  const tell = (contactId: string) => hub.bus.publish('contact.changed', { contactId })

  app.get('/api/contacts/:id', { config, schema: { params: IdParams, response: { 200: WireContact } } }, async (request) => {
    const actor = actorOf(request)
    const em = hub.em()
    const contact = await findReadableContact(em, actor, request.params.id)
    await tellContactView(hub, em, actor, contact.id)
    return presentContact(hub, em, actor.ability, contact)
  })

  app.patch(
    '/api/contacts/:id',
    { config: { access: { permission: 'contact.update' } }, schema: { params: IdParams, body: ContactPatch, response: { 200: WireContact } } },
    async (request) => {
      const actor = actorOf(request)
      const em = hub.em()
      const contact = await findReadableContact(em, actor, request.params.id)
      const { fields: brought = {} } = request.body
      const own = pick(request.body, ['nickname', 'remark', ...contactFields])
      const declared = declaredFields(hub).filter(({ fullName }) => fullName in brought)
      const custom = Object.keys(brought).filter((name) => !declared.some(({ fullName }) => fullName === name))
      const known = custom.length > 0 ? await readCustomFields(em) : { fields: [] }
      for (const name of custom) checkCustomValue(known, name, (brought[name] ?? '').trim())
      const fields = [...Object.keys(own), ...Object.keys(brought)]
      // Who cannot see a field would overwrite it blindly.
      const blind = fields.find((field) => {
        const personal = (contactFields as readonly string[]).includes(field) ? field : declared.find(({ fullName }) => fullName === field)?.personal
        return personal !== undefined && !maySee(actor.ability, personal as PersonalField)
      })
      if (blind) throw new HubError('HUB_FORBIDDEN', 'You may not change what you may not see', { field: blind })
      // Of what they see, numbers among the words may be masked.
      const kept = (field: string, stored: string, given: string) => keepHidden(stored, maskText(actor.ability, stored), given.trim(), { field })
      const rows = await em.find(ContactField, { contactId: contact.id, field: { $in: Object.keys(brought) } }, { disableIdentityMap: true })
      const written = Object.entries(brought).map(([name, value]) => [name, kept(name, rows.find(({ field }) => field === name)?.value ?? '', value)] as const)
      const patch = Object.fromEntries(Object.entries(own).map(([name, value]) => [name, kept(name, contact[name as keyof typeof own], value)]))
      let alike: string[] = []
      // The finder may be offering the same two at this moment.
      await retryOnConflict(() =>
        commitWithEvents(hub, async (tx) => {
          await tx.nativeUpdate(Contact, { id: contact.id }, { ...patch, updatedAt: new Date() })
          alike = await notePerson(tx, contact.id, Object.keys(own), actor.agent.id)
          for (const [name, value] of written) await writeDeclared(tx, contact.id, name, value, actor.agent.id)
          return [{ name: 'contact.updated', data: { contactId: contact.id, byAgentId: actor.agent.id, fields } }]
        }),
      )
      for (const id of [contact.id, ...alike]) tell(id)
      return presentContact(hub, em, actor.ability, { ...contact, ...patch } as Contact)
    },
  )

  app.get('/api/contact-fields', { config, schema: { response: { 200: CustomFields } } }, async () => readCustomFields(hub.em()))
  app.put(
    '/api/contact-fields',
    { config: { access: { permission: 'category.manage' } }, schema: { body: CustomFields, response: { 200: CustomFields } } },
    async (request) => {
      await changeSettings(hub, request, async (tx) => {
        await writeCustomFields(tx, request.body)
        return { scope: 'contact-fields' }
      })
      return readCustomFields(hub.em())
    },
  )

  const TagParams = Type.Object({ id: Id, tagId: Id })
  for (const [method, added] of [
    ['PUT', true],
    ['DELETE', false],
  ] as const) {
    app.route({
      method,
      url: '/api/contacts/:id/tags/:tagId',
      config: { access: { permission: 'contact.tag' } },
      schema: { params: TagParams, response: { 200: Ok } },
      handler: async (request) => {
        const actor = actorOf(request)
        const { tagId } = request.params
        const em = hub.em()
        const { id } = await findReadableContact(em, actor, request.params.id)
        const tag = await em.findOne(Tag, { id: tagId }, { disableIdentityMap: true })
        if (!tag) throw new HubError('HUB_NOT_FOUND', 'There is no such tag')
        await commitWithEvents(hub, async (tx) => {
          if (added) await tx.upsert(ContactTag, { contactId: id, tagId, byAgentId: actor.agent.id, createdAt: new Date() }, { onConflictAction: 'ignore' })
          else await tx.nativeDelete(ContactTag, { contactId: id, tagId })
          return [{ name: 'contact.tagged', data: { contactId: id, byAgentId: actor.agent.id, tagId, added } }]
        })
        tell(id)
        return { ok: true as const }
      },
    })
  }

  const HistoryQuery = Type.Object({ cursor: Type.Optional(Type.String({ maxLength: 200 })) })
  app.get(
    '/api/contacts/:id/conversations',
    { config, schema: { params: IdParams, querystring: HistoryQuery, response: { 200: Page(WireConversation) } } },
    async (request) => {
      const actor = actorOf(request)
      const em = hub.em()
      const { id: contactId } = await findReadableContact(em, actor, request.params.id)
      await tellContactView(hub, em, actor, contactId)
      const allowed = whereAllowed(actor.ability, 'read', 'conversation') ?? {}
      const rows = await em.find(
        Conversation,
        { $and: [{ contactId }, allowed, beforeRow('lastMessageAt', request.query.cursor)] },
        { orderBy: [{ lastMessageAt: 'desc' }, { id: 'desc' }], limit: 21, disableIdentityMap: true },
      )
      const last = rows.length > 20 ? rows[19] : undefined
      return { items: await present(em, actor, rows.slice(0, 20)), cursor: last ? encodeCursor([last.lastMessageAt.getTime(), last.id]) : null }
    },
  )

  app.get(
    '/api/contacts/:id/activities',
    { config, schema: { params: IdParams, querystring: HistoryQuery, response: { 200: Page(WireActivity) } } },
    async (request) => {
      const actor = actorOf(request)
      const em = hub.em()
      const contact = await findReadableContact(em, actor, request.params.id)
      await tellContactView(hub, em, actor, contact.id)
      const rows = await em.find(
        Activity,
        { $and: [{ contactId: contact.id }, whereInLines(actor.ability), beforeRow('at', request.query.cursor)] },
        { orderBy: [{ at: 'desc' }, { id: 'desc' }], limit: 51, disableIdentityMap: true },
      )
      const last = rows.length > 50 ? rows[49] : undefined
      return { items: rows.slice(0, 50).map((row) => presentActivity(actor.ability, row)), cursor: last ? encodeCursor([last.at.getTime(), last.id]) : null }
    },
  )

  app.get(
    '/api/contacts/:id/visits',
    { config, schema: { params: IdParams, response: { 200: Type.Object({ items: Type.Array(WireVisit) }) } } },
    async (request) => {
      const actor = actorOf(request)
      const em = hub.em()
      const contact = await findReadableContact(em, actor, request.params.id)
      await tellContactView(hub, em, actor, contact.id)
      const visible = whereVisits(actor.ability)
      const rows = visible
        ? await em.find(Visit, { $and: [{ contactId: contact.id }, visible] }, { orderBy: { startedAt: 'desc' }, limit: 10, disableIdentityMap: true })
        : []
      return { items: rows.map((visit) => presentVisit(actor.ability, visit, contact)) }
    },
  )

  const BlockBody = Type.Object({ identityId: Id })
  const BlockParams = Type.Object({ id: Id, identityId: Id })
  app.post(
    '/api/contacts/:id/block',
    { config: { access: { permission: 'contact.block' } }, schema: { params: IdParams, body: BlockBody, response: { 200: Ok } } },
    async (request) => {
      const actor = actorOf(request)
      const em = hub.em()
      const contact = await findReadableContact(em, actor, request.params.id)
      await checkInLines(em, actor, contact.id, [request.body.identityId])
      await blockIdentity(hub, actor, contact.id, request.body.identityId)
      tell(contact.id)
      return { ok: true as const }
    },
  )

  app.delete(
    '/api/contacts/:id/block/:identityId',
    {
      config: { access: { permission: 'contact.block' } },
      schema: { summary: 'Unblock an identity of a contact', params: BlockParams, response: { 200: Ok } },
    },
    async (request) => {
      const actor = actorOf(request)
      const em = hub.em()
      const contact = await findReadableContact(em, actor, request.params.id)
      const { identityId } = request.params
      await checkInLines(em, actor, contact.id, [identityId])
      await commitWithEvents(hub, async (tx) => {
        const changed = await tx.nativeUpdate(
          Identity,
          { id: identityId, contactId: contact.id, blockedAt: { $ne: null } },
          { blockedAt: null, blockedById: null },
        )
        if (changed > 0) await tx.nativeDelete(BlockedAddress, { identityId })
        return changed > 0 ? [{ name: 'contact.blocked', data: { contactId: contact.id, identityId, blocked: false, byAgentId: actor.agent.id } }] : []
      })
      tell(contact.id)
      return { ok: true as const }
    },
  )
}
