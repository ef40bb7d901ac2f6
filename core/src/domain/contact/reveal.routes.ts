/** Personal data shown to somebody who may not see it by itself: one field, or one kind in one message, for a reason, told before it is shown. */
import { Type } from 'typebox'
import { HubError } from '../../../sdk/errors.ts'
import { IdParams } from '../../../sdk/wire/common.ts'
import { RevealField, RevealMessage } from '../../../sdk/wire/contact.ts'
import { Message as WireMessage } from '../../../sdk/wire/conversation.ts'
import { mayReveal, maySee, type PersonalField, sightOf } from '../../access/mask.ts'
import { maskField } from '../../access/mask-field.ts'
import { starred } from '../../access/mask-text.ts'
import { personalFields } from '../../access/permissions.ts'
import { type Actor, actorOf } from '../../http/auth.ts'
import type { App } from '../../http/server.ts'
import type { Hub } from '../../hub.ts'
import { tellEvents } from '../conversation/change.ts'
import { presentMessage } from '../conversation/conversation.present.ts'
import { findReadable } from '../conversation/conversation.routes.ts'
import { Message } from '../message/message.entity.ts'
import { findReadableContact } from './contact.routes.ts'

const perMinute = 30

export function revealRoutes(app: App, hub: Hub): void {
  const config = {
    // A program has no reason to give: persons only.
    access: { permission: 'contact.reveal', person: true as const },
    rateLimit: {
      max: perMinute,
      timeWindow: 60_000,
      hook: 'preHandler' as const,
      keyGenerator: (request: { actor: Actor | undefined; ip: string }) => request.actor?.agent.id ?? request.ip,
    },
  }
  const reasonOf = ({ reason }: { reason: string }): string => {
    const said = reason.trim()
    if (said.length >= 2) return said
    throw new HubError('HUB_REQUEST_INVALID', 'Say why', { faults: [{ path: 'body/reason', rule: 'required', message: 'Say why' }] })
  }

  /** What they see anyway, and this field: what is neither stays masked, within it too. */
  const sightFor = ({ ability }: Actor, field: PersonalField) => sightOf(personalFields.filter((one) => one === field || maySee(ability, one)))

  const mustReveal = ({ ability }: Actor, field: PersonalField): void => {
    if (maySee(ability, field) || mayReveal(ability, field)) return
    throw new HubError('HUB_FORBIDDEN', 'You may not see this', { permission: 'contact.reveal', field })
  }

  app.post(
    '/api/contacts/:id/reveal',
    { config, schema: { params: IdParams, body: RevealField, response: { 200: Type.Object({ value: Type.String() }) } } },
    async (request) => {
      const actor = actorOf(request)
      const { field } = request.body
      const reason = reasonOf(request.body)
      const contact = await findReadableContact(hub.em(), actor, request.params.id)
      mustReveal(actor, field)
      const data = { contactId: contact.id, field, conversationId: null, messageId: null, reason: starred(reason) }
      await tellEvents(hub, [{ name: 'contact.revealed', data }])
      return { value: maskField(sightFor(actor, field), field, contact[field]) }
    },
  )

  app.post('/api/messages/:id/reveal', { config, schema: { params: IdParams, body: RevealMessage, response: { 200: WireMessage } } }, async (request) => {
    const actor = actorOf(request)
    const { field } = request.body
    const reason = reasonOf(request.body)
    const em = hub.em()
    const message = await em.findOne(Message, { id: request.params.id }, { disableIdentityMap: true })
    if (!message) throw new HubError('HUB_NOT_FOUND', 'There is no such message')
    const { id: conversationId, contactId } = await findReadable(em, actor, message.conversationId)
    mustReveal(actor, field)
    const data = { contactId, field, conversationId, messageId: message.id, reason: starred(reason) }
    await tellEvents(hub, [{ name: 'contact.revealed', data }])
    return presentMessage({ ability: sightFor(actor, field), agent: actor.agent }, message)
  })
}
