/** Files: brought by agents, served to whoever may read the conversation they belong to. */
import { HubError } from '../../../sdk/errors.ts'
import { MessagePart } from '../../../sdk/message-parts.ts'
import { IdParams } from '../../../sdk/wire/common.ts'
import { mayView } from '../../access/ability.ts'
import { maskText } from '../../access/mask-text.ts'
import { type Actor, actorOf } from '../../http/auth.ts'
import type { App } from '../../http/server.ts'
import type { Hub } from '../../hub.ts'
import { Conversation } from '../conversation/conversation.entity.ts'
import { tellView } from '../conversation/conversation.routes.ts'
import { tellOnce } from '../conversation/tell-once.ts'
import { StoredFile } from './file.entity.ts'
import { rawLettersHidden } from './raw-letters.ts'
import { isInline, sendFile } from './send-file.ts'
import { stillCarried } from './still-carried.ts'
import { maxFileBytes, partOf, storeFile } from './store-file.ts'

export function fileRoutes(app: App, hub: Hub): void {
  app.post(
    '/api/files',
    { config: { access: 'agent' }, bodyLimit: maxFileBytes + 64_000, schema: { consumes: ['multipart/form-data'], response: { 201: MessagePart } } },
    async (request, reply) => {
      const upload = await request.file()
      if (!upload) throw new HubError('HUB_REQUEST_INVALID', 'There is no file in the request')
      const file = await storeFile(hub, {
        name: upload.filename,
        bytes: upload.file,
        uploadedBy: actorOf(request).agent.id,
        voice: upload.fieldname === 'voice',
      })
      return reply.status(201).send(partOf(file))
    },
  )

  for (const variant of ['', '/thumbnail'] as const) {
    app.get(`/api/files/:id${variant}`, { config: { access: 'agent' }, schema: { params: IdParams } }, async (request, reply) => {
      const actor = actorOf(request)
      const { file, conversation } = await findReadableFile(hub, actor, request.params.id)
      if (variant === '' && file.conversationId) {
        const data = { conversationId: file.conversationId, fileIds: [file.id], ...(isInline(file) ? { inline: true } : {}) }
        await tellOnce(hub, [{ same: ['file', actor.agent.id, file.id], event: { name: 'file.downloaded', data } }])
      }
      // A small picture is a piece of what was said: whoever looks at it alone has looked into the record.
      if (variant === '/thumbnail' && conversation) await tellView(hub, actor, conversation)
      const shown = { ...file, name: maskText(actor.ability, file.name) } as StoredFile
      return sendFile(hub, request, reply, shown, variant === '/thumbnail')
    })
  }
}

/** The conversation is missing where it is a file that one brought oneself and no message carries yet. */
async function findReadableFile(hub: Hub, actor: Actor, id: string): Promise<{ file: StoredFile; conversation?: Conversation }> {
  const em = hub.em()
  const missing = new HubError('HUB_NOT_FOUND', 'There is no such file')
  const file = await em.findOne(StoredFile, { id }, { disableIdentityMap: true })
  if (!file) throw missing
  if (!file.conversationId && file.uploadedBy === actor.agent.id) return { file }
  const conversation = file.conversationId && (await em.findOne(Conversation, { id: file.conversationId }, { disableIdentityMap: true }))
  if (!conversation || !mayView(actor.ability, conversation)) throw missing
  if (!(await stillCarried(em, conversation.id, file, ['in', 'out', 'note']))) throw missing
  if ((await rawLettersHidden(em, actor.ability, conversation.id, [file])).size > 0) throw missing
  return { file, conversation }
}
