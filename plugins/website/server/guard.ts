/** Who may ask at all: the frame and nobody's page, people and not crawlers, and nobody faster than a person. */
import { HubError } from '@huike/core/sdk/errors.ts'
import type { PluginContext } from '@huike/core/sdk/plugin.ts'
import type { FastifyRequest } from 'fastify'
import type { Visitor } from './visitor.ts'

/**
 * Only the frame, which is a page of the hub, talks to the hub; which sites may carry the frame is said by its
 * `frame-ancestors`. What a page of somewhere else asks in its own name is refused. Who sends no origin is no page.
 */
export function checkFrameOrigin(ctx: PluginContext, { origin, host }: { origin?: string | undefined; host?: string | undefined }): void {
  if (origin === undefined) return
  const from = URL.parse(origin)
  if (from && (from.host === host || from.origin === new URL(ctx.publicUrl).origin)) return
  throw new HubError('HUB_REQUEST_ORIGIN', 'This site may not use this inbox')
}

/** Crawlers, link previews and libraries. They run scripts too, some of them; they are no visitors. (A Cubot is a phone.) */
const machines =
  /(?<!cu)bot\b|crawl|spider|slurp|lighthouse|pagespeed|preview|externalhit|embedly|quora link|whatsapp\/|headlesschrome-|phantomjs|^(curl|wget|python|java|go-http|node|axios|okhttp|libwww|ruby|php|apache-httpclient)/i

/** No row is written for a machine, nor for a page that a browser fetches before anybody asked for it. */
export function isNobody({ headers }: Pick<FastifyRequest, 'headers'>): boolean {
  const userAgent = headers['user-agent'] ?? ''
  const purpose = `${headers['sec-purpose'] ?? ''} ${headers.purpose ?? ''} ${headers['x-purpose'] ?? ''} ${headers['x-moz'] ?? ''}`
  return userAgent === '' || machines.test(userAgent) || /prefetch|prerender|preview/i.test(purpose)
}

/** Nobody opens a window and has written within this time; with a name and an address to fill in, even less so. */
const leastMs = { message: 1_500, form: 3_000 }

/**
 * A stranger's first words must not come faster than a hand can type them. The widget waits and sends again by itself,
 * so a person never meets this; a script pays it for every identity it makes, of which an address gets 60 a minute.
 */
export function checkPace({ sender, since }: Visitor, form: boolean): void {
  if (sender.verified) return
  const missing = (form ? leastMs.form : leastMs.message) - (Date.now() - since)
  if (missing > 0)
    throw new HubError('HUB_RATE_LIMITED', 'That was faster than anybody types', { retryAfterSeconds: Math.ceil(missing / 1_000), waitMs: missing })
}
