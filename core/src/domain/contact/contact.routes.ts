/** Contacts: whoever may see a conversation of theirs may see them. */
import { Type } from 'typebox'
import { HubError } from '../../../sdk/errors.ts'
import { Id, IdParams, Ok, Page } from '../../../sdk/wire/common.ts'
import { ContactPatch, Activity as WireActivity, Contact as WireContact, Visit as WireVisit } from '../../../sdk/wire/contact.ts'
import { Conversation as WireConversation } from '../../../sdk/wire/conversation.ts'
import { maySee, type PersonalField } from '../../access/mask.ts'
import { personalFields } from '../../access/permissions.ts'
import { whereAllowed } from '../../access/scope.ts'
import { beforeRow, encodeCursor } from '../../db/keyset.ts'
import type { Em } from '../../db/orm.ts'
import { type Actor, actorOf } from '../../http/auth.ts'
import type { App } from '../../http/server.ts'
import type { Hub } from '../../hub.ts'
import { writeEvents } from '../conversation/change.ts'
import { closeConversation } from '../conversation/close-conversation.ts'
import { Conversation } from '../conversation/conversation.entity.ts'
import { present } from '../conversation/conversation.routes.ts'
import { ContactTag, Tag } from '../tag/tag.entity.ts'
import { Visit } from '../visit/visit.entity.ts'
import { presentVisit } from '../visit/visit.present.ts'
import { Activity, BlockedAddress, Contact, Identity } from './contact.entity.ts'
import { presentActivity, presentContact } from './contact.present.ts'
import { survivorOf } from './merge-contacts.ts'

/** The contact, if a conversation of theirs may be seen; one that was merged is who it became. */
export async function findReadableContact(em: Em, actor: Actor, asked: string): Promise<Contact> {
  const id = await survivorOf(em, asked)
  const allowed = whereAllowed(actor.ability, 'read', 'conversation')
  const contact = await em.findOne(Contact, { id }, { disableIdentityMap: true })
  const visible = contact && allowed && (await em.findOne(Conversation, { $and: [{ contactId: id }, allowed] }, { fields: ['id'], disableIdentityMap: true }))
  if (!visible) throw new HubError('HUB_NOT_FOUND', 'There is no such contact')
  return contact
}

export function contactRoutes(app: App, hub: Hub): void {
  const config = { access: 'agent' as const }
  /** Those who show this contact fetch it again. */
  const tell = (contactId: string) => hub.bus.publish('contact.changed', { contactId })

  app.get('/api/contacts/:id', { config, schema: { params: IdParams, response: { 200: WireContact } } }, async (request) => {
    const actor = actorOf(request)
    const em = hub.em()
    return presentContact(em, actor.ability, await findReadableContact(em, actor, request.params.id))
  })

  app.patch(
    '/api/contacts/:id',
    { config: { access: { permission: 'contact.update' } }, schema: { params: IdParams, body: ContactPatch, response: { 200: WireContact } } },
    async (request) => {
      const actor = actorOf(request)
      const em = hub.em()
      const contact = await findReadableContact(em, actor, request.params.id)
      const fields = Object.keys(request.body)
      // Who cannot see a field would overwrite it blindly.
      const blind = fields.find((field) => (personalFields as readonly string[]).includes(field) && !maySee(actor.ability, field as PersonalField))
      if (blind) throw new HubError('HUB_FORBIDDEN', 'You may not change what you may not see', { field: blind })
      const patch = Object.fromEntries(Object.entries(request.body).map(([name, value]) => [name, value.trim()]))
      let listeners = new Set<string>()
      await em.transactional(async (tx) => {
        await tx.nativeUpdate(Contact, { id: contact.id }, { ...patch, updatedAt: new Date() })
        listeners = await writeEvents(hub, tx as Em, [{ name: 'contact.updated', data: { contactId: contact.id, byAgentId: actor.agent.id, fields } }])
      })
      for (const listener of listeners) hub.queue.hurry('delivery', listener)
      tell(contact.id)
      return presentContact(em, actor.ability, { ...contact, ...patch } as Contact)
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
        const { id, tagId } = request.params
        const em = hub.em()
        await findReadableContact(em, actor, id)
        const tag = await em.findOne(Tag, { id: tagId }, { disableIdentityMap: true })
        if (!tag) throw new HubError('HUB_NOT_FOUND', 'There is no such tag')
        let listeners = new Set<string>()
        await em.transactional(async (tx) => {
          if (added) await tx.upsert(ContactTag, { contactId: id, tagId, byAgentId: actor.agent.id, createdAt: new Date() }, { onConflictAction: 'ignore' })
          else await tx.nativeDelete(ContactTag, { contactId: id, tagId })
          listeners = await writeEvents(hub, tx as Em, [{ name: 'contact.tagged', data: { contactId: id, byAgentId: actor.agent.id, tagId, added } }])
        })
        for (const listener of listeners) hub.queue.hurry('delivery', listener)
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
      await findReadableContact(em, actor, request.params.id)
      const allowed = whereAllowed(actor.ability, 'read', 'conversation') ?? {}
      const rows = await em.find(
        Conversation,
        { $and: [{ contactId: request.params.id }, allowed, beforeRow('createdAt', request.query.cursor)] },
        { orderBy: [{ createdAt: 'desc' }, { id: 'desc' }], limit: 21, disableIdentityMap: true },
      )
      const last = rows.length > 20 ? rows[19] : undefined
      return { items: await present(em, actor, rows.slice(0, 20)), cursor: last ? encodeCursor([last.createdAt.getTime(), last.id]) : null }
    },
  )

  app.get(
    '/api/contacts/:id/activities',
    { config, schema: { params: IdParams, querystring: HistoryQuery, response: { 200: Page(WireActivity) } } },
    async (request) => {
      const em = hub.em()
      const contact = await findReadableContact(em, actorOf(request), request.params.id)
      const rows = await em.find(
        Activity,
        { $and: [{ contactId: contact.id }, beforeRow('at', request.query.cursor)] },
        { orderBy: [{ at: 'desc' }, { id: 'desc' }], limit: 51, disableIdentityMap: true },
      )
      const last = rows.length > 50 ? rows[49] : undefined
      return { items: rows.slice(0, 50).map(presentActivity), cursor: last ? encodeCursor([last.at.getTime(), last.id]) : null }
    },
  )

  app.get(
    '/api/contacts/:id/visits',
    { config, schema: { params: IdParams, response: { 200: Type.Object({ items: Type.Array(WireVisit) }) } } },
    async (request) => {
      const actor = actorOf(request)
      const em = hub.em()
      const contact = await findReadableContact(em, actor, request.params.id)
      const rows = await em.find(Visit, { contactId: contact.id }, { orderBy: { startedAt: 'desc' }, limit: 10, disableIdentityMap: true })
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
      const now = new Date()
      const changed = await em.nativeUpdate(Identity, { id: request.body.identityId, contactId: contact.id }, { blockedAt: now, blockedById: actor.agent.id })
      if (changed === 0) throw new HubError('HUB_NOT_FOUND', 'There is no such identity')
      const identity = await em.findOneOrFail(Identity, { id: request.body.identityId }, { disableIdentityMap: true })
      // A new identity from the same address would be the same person an hour later.
      const visits = await em.find(Visit, { identityId: identity.id }, { orderBy: { startedAt: 'desc' }, limit: 5, disableIdentityMap: true })
      for (const address of new Set(visits.map((visit) => visit.ip)))
        await em.upsert(BlockedAddress, { inboxId: identity.inboxId, address, identityId: identity.id, createdAt: now }, { onConflictAction: 'ignore' })
      const open = await em.find(Conversation, { openIdentityId: identity.id }, { fields: ['id'], disableIdentityMap: true })
      for (const { id } of open) await closeConversation(hub, id, 'blocked', actor.agent.id)
      tell(contact.id)
      return { ok: true as const }
    },
  )

  app.delete(
    '/api/contacts/:id/block/:identityId',
    { config: { access: { permission: 'contact.block' } }, schema: { params: BlockParams, response: { 200: Ok } } },
    async (request) => {
      const actor = actorOf(request)
      const em = hub.em()
      const contact = await findReadableContact(em, actor, request.params.id)
      await em.nativeUpdate(Identity, { id: request.params.identityId, contactId: contact.id }, { blockedAt: null, blockedById: null })
      await em.nativeDelete(BlockedAddress, { identityId: request.params.identityId })
      tell(contact.id)
      return { ok: true as const }
    },
  )
}
