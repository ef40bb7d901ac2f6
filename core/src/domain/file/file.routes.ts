/** Files: brought by agents, served to whoever may read the conversation they belong to. */
import { HubError } from '../../../sdk/errors.ts'
import { MessagePart } from '../../../sdk/message-parts.ts'
import { IdParams } from '../../../sdk/wire/common.ts'
import { may } from '../../access/ability.ts'
import { type Actor, actorOf } from '../../http/auth.ts'
import type { App } from '../../http/server.ts'
import type { Hub } from '../../hub.ts'
import { Conversation } from '../conversation/conversation.entity.ts'
import { StoredFile } from './file.entity.ts'
import { sendFile } from './send-file.ts'
import { maxFileBytes, partOf, storeFile } from './store-file.ts'

export function fileRoutes(app: App, hub: Hub): void {
  app.post(
    '/api/files',
    { config: { access: 'agent' }, bodyLimit: maxFileBytes + 64_000, schema: { consumes: ['multipart/form-data'], response: { 201: MessagePart } } },
    async (request, reply) => {
      const upload = await request.file()
      if (!upload) throw new HubError('HUB_REQUEST_INVALID', 'There is no file in the request')
      const bytes = await upload.toBuffer()
      const file = await storeFile(hub, { name: upload.filename, bytes, uploadedBy: actorOf(request).agent.id, voice: upload.fieldname === 'voice' })
      return reply.status(201).send(partOf(file))
    },
  )

  for (const variant of ['', '/thumbnail'] as const) {
    app.get(`/api/files/:id${variant}`, { config: { access: 'agent' }, schema: { params: IdParams } }, async (request, reply) => {
      const file = await findReadableFile(hub, actorOf(request), request.params.id)
      return sendFile(hub, reply, file, variant === '/thumbnail')
    })
  }
}

async function findReadableFile(hub: Hub, actor: Actor, id: string): Promise<StoredFile> {
  const em = hub.em()
  const missing = new HubError('HUB_NOT_FOUND', 'There is no such file')
  const file = await em.findOne(StoredFile, { id }, { disableIdentityMap: true })
  if (!file) throw missing
  if (file.uploadedBy === actor.agent.id) return file
  const conversation = file.conversationId && (await em.findOne(Conversation, { id: file.conversationId }, { disableIdentityMap: true }))
  if (!conversation || !may(actor.ability, 'read', conversation)) throw missing
  return file
}
