/**
 * A letter as it was written, for a frame of its own. Whoever made the part has sanitised it; the headers here hold
 * even if that failed: no script runs, no form is sent, and nothing is fetched from elsewhere unless the reader asks.
 */
import { Type } from 'typebox'
import { HubError } from '../../../sdk/errors.ts'
import { Id } from '../../../sdk/wire/common.ts'
import { mayView } from '../../access/ability.ts'
import { maskHtml } from '../../access/mask-html.ts'
import { actorOf } from '../../http/auth.ts'
import type { App } from '../../http/server.ts'
import type { Hub } from '../../hub.ts'
import { Conversation } from '../conversation/conversation.entity.ts'
import { tellView } from '../conversation/conversation.routes.ts'
import { Message } from './message.entity.ts'

const Params = Type.Object({ id: Id, part: Type.Integer({ minimum: 0, maximum: 99 }) })
const Query = Type.Object({ images: Type.Optional(Type.Boolean()) })

export function letterRoutes(app: App, hub: Hub): void {
  app.get(
    '/api/messages/:id/letters/:part',
    { config: { access: 'agent', ownSecurityHeaders: true }, schema: { params: Params, querystring: Query } },
    async (request, reply) => {
      const em = hub.em()
      const missing = new HubError('HUB_NOT_FOUND', 'There is no such letter')
      const message = await em.findOne(Message, { id: request.params.id }, { disableIdentityMap: true })
      const conversation = message && (await em.findOne(Conversation, { id: message.conversationId }, { disableIdentityMap: true }))
      const actor = actorOf(request)
      const part = message?.recalledAt ? undefined : message?.parts[request.params.part]
      if (!conversation || part?.type !== 'html' || !mayView(actor.ability, conversation)) throw missing
      await tellView(hub, actor, conversation)
      const html = message?.authorId === actor.agent.id ? part.html : maskHtml(actor.ability, part.html)
      const images = `'self' data:${request.query.images ? ' https:' : ''}`
      return (
        reply
          .header('content-type', 'text/html; charset=utf-8')
          // Same origin, so that pictures inside the letter come with the reader's session; harmless without scripts.
          .header(
            'content-security-policy',
            `default-src 'none'; img-src ${images}; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; sandbox allow-same-origin allow-popups allow-popups-to-escape-sandbox`,
          )
          .header('x-content-type-options', 'nosniff')
          .header('referrer-policy', 'no-referrer')
          .header('cache-control', 'private, no-store')
          .header('cross-origin-resource-policy', 'same-origin')
          .send(documentOf(html, part.inline ?? [], request.query.images ?? false))
      )
    },
  )
}

/** Written on paper: a letter brings its own colours, so it lies on white in both looks. */
const look = `html{background:#fff;color:#1f2329;font:14px/1.6 -apple-system,"PingFang SC","Microsoft YaHei","Noto Sans SC",sans-serif}
body{margin:0;padding:12px;overflow-wrap:anywhere}img{max-width:100%;height:auto}table{max-width:100%}pre{white-space:pre-wrap}
blockquote{margin:0 0 0 8px;padding-left:8px;border-left:2px solid #d0d3d6}
::highlight(found-words){background-color:#ffe08a}`

/** A picture that is not fetched leaves no broken sign behind. */
const blocked = 'img[src^="http"],img[src^="//"]{display:none}'

function documentOf(html: string, inline: readonly { cid: string; fileId: string }[], images: boolean): string {
  const files = new Map(inline.map(({ cid, fileId }) => [cid, fileId]))
  const body = html.replace(/\bcid:([^"'\s)>]+)/gi, (whole, cid: string) => {
    const fileId = files.get(cid) ?? files.get(decoded(cid))
    return fileId ? `/api/files/${fileId}` : whole
  })
  return `<!doctype html><html><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><base target="_blank"><style>${look}${images ? '' : blocked}</style></head><body>${body}</body></html>`
}

function decoded(cid: string): string {
  try {
    return decodeURIComponent(cid)
  } catch {
    return cid
  }
}
