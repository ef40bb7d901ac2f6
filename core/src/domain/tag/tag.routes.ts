/** Tags: system tags are set up by an admin; nobody changes them from the workbench. */
import { UniqueConstraintViolationException } from '@mikro-orm/core'
import { Type } from 'typebox'
import { HubError } from '../../../sdk/errors.ts'
import { IdParams, Ok } from '../../../sdk/wire/common.ts'
import { TagInput, Tag as WireTag } from '../../../sdk/wire/contact.ts'
import { newId } from '../../db/types.ts'
import { actorOf } from '../../http/auth.ts'
import type { App } from '../../http/server.ts'
import type { Hub } from '../../hub.ts'
import { ConversationTag } from '../conversation/conversation.entity.ts'
import { changeSettings } from '../setting/tell-settings.ts'
import { ContactTag, Tag } from './tag.entity.ts'

/** All are listed. */
const most = 1_000
/** Plugins make theirs beyond what people may make by hand. */
const byHand = 900

export function tagRoutes(app: App, hub: Hub): void {
  const present = ({ id, name, system }: Tag) => ({ id, name, system })

  app.get('/api/tags', { config: { access: 'agent' }, schema: { response: { 200: Type.Object({ items: Type.Array(WireTag) }) } } }, async () => {
    const rows = await hub.em().find(Tag, {}, { orderBy: [{ system: 'desc' }, { name: 'asc' }], limit: most, disableIdentityMap: true })
    return { items: rows.map(present) }
  })

  // A custom tag may be made by whoever may tag; a system tag only by who manages tags.
  app.post(
    '/api/tags',
    { config: { access: { permission: 'contact.tag' } }, schema: { body: TagInput, response: { 201: WireTag } } },
    async (request, reply) => {
      const { ability } = actorOf(request)
      if (request.body.system && !ability.can('manage', 'tag')) throw new HubError('HUB_FORBIDDEN', 'You may not make system tags')
      const tag = { id: newId(), name: request.body.name.trim(), system: request.body.system ?? false, createdAt: new Date() } as Tag
      try {
        await changeSettings(hub, request, async (tx) => {
          if ((await tx.count(Tag, {})) >= byHand) throw new HubError('HUB_LIST_FULL', 'There are as many tags as there can be', { most: byHand })
          await tx.insert(Tag, tag)
          return { scope: 'tag', change: 'created', id: tag.id, name: tag.name }
        })
      } catch (error) {
        if (error instanceof UniqueConstraintViolationException)
          throw new HubError('HUB_CONFLICT', 'There is a tag of this name', { reason: 'name', path: '/name' })
        throw error
      }
      return reply.status(201).send(present(tag))
    },
  )

  app.delete('/api/tags/:id', { config: { access: { permission: 'contact.tag' } }, schema: { params: IdParams, response: { 200: Ok } } }, async (request) => {
    const em = hub.em()
    const tag = await em.findOne(Tag, { id: request.params.id }, { disableIdentityMap: true })
    if (!tag) throw new HubError('HUB_NOT_FOUND', 'There is no such tag')
    if (tag.system && !actorOf(request).ability.can('manage', 'tag')) throw new HubError('HUB_TAG_SYSTEM', 'System tags cannot be deleted here')
    await changeSettings(hub, request, async (tx) => {
      await tx.nativeDelete(ContactTag, { tagId: tag.id })
      await tx.nativeDelete(ConversationTag, { tagId: tag.id })
      await tx.nativeDelete(Tag, { id: tag.id })
      return { scope: 'tag', change: 'deleted', id: tag.id, name: tag.name }
    })
    return { ok: true as const }
  })
}
