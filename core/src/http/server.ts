/** The HTTP server with what every request passes through. */
import cookie from '@fastify/cookie'
import multipart from '@fastify/multipart'
import rateLimit from '@fastify/rate-limit'
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import Fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  LogController,
  type RawReplyDefaultExpression,
  type RawRequestDefaultExpression,
  type RawServerDefault,
} from 'fastify'
import { hubVersion } from '../config/version.ts'
import { newId } from '../db/types.ts'
import { maxFileBytes } from '../domain/file/store-file.ts'
import type { Hub } from '../hub.ts'
import { authPlugin } from './auth.ts'
import { closeRoute } from './closed-schemas.ts'
import { describeRoute } from './describe-api.ts'
import { errorHandler, notFound } from './errors.ts'
import { lazyValidators } from './lazy-validators.ts'
import { securityHeaders } from './security-headers.ts'
import { refuseDeep } from './shallow-bodies.ts'

export type App = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression<RawServerDefault>,
  RawReplyDefaultExpression<RawServerDefault>,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>

const wordmark = `<svg xmlns="http://www.w3.org/2000/svg" width="150" height="40" viewBox="0 0 150 40">
<text x="0" y="28" fill="#fff" font-family="system-ui, sans-serif" font-size="24" font-weight="600">汇客 Huike</text></svg>`

export async function createServer(hub: Hub, logger: FastifyBaseLogger): Promise<App> {
  const app: App = Fastify({
    loggerInstance: logger,
    trustProxy: hub.env.trustProxy,
    bodyLimit: 256 * 1024,
    genReqId: () => newId(),
    logController: new LogController({ disableRequestLogging: true }),
    routerOptions: { maxParamLength: 200 },
    ajv: { customOptions: { coerceTypes: true, removeAdditional: false, allErrors: false } },
    schemaController: { compilersFactory: { buildValidator: lazyValidators } },
  }).withTypeProvider<TypeBoxTypeProvider>()

  // Presenters decide what goes out; response schemas document it.
  app.setSerializerCompiler(() => JSON.stringify)
  app.setErrorHandler(errorHandler)
  app.setNotFoundHandler(notFound)

  // Before the page of the API, which shows schemas as they are checked.
  app.addHook('onRoute', closeRoute)
  await app.register(securityHeaders, { hub })
  await app.register(cookie)
  await app.register(rateLimit, { global: false })
  await app.register(multipart, { limits: { fileSize: maxFileBytes, files: 1, fields: 5 }, throwFileSizeLimit: true })
  await app.register(swagger, {
    openapi: {
      info: { title: 'Huike', version: hubVersion, description: 'Sign in with a session cookie or send an API token: `Authorization: Bearer hk_…`.' },
    },
    transform: describeRoute,
  })

  // Without promises: they are passed by every request.
  app.addHook('onSend', (_request, reply, payload, done) => {
    if (hub.closing) reply.header('connection', 'close')
    done(null, payload)
  })
  app.addHook('onResponse', (request, reply, done) => {
    const route = request.routeOptions.url ?? 'none'
    hub.metrics.requests.observe({ method: request.method, route, status: String(reply.statusCode) }, reply.elapsedTime / 1_000)
    // Routes, not URLs: an address can carry a token or a name.
    request.log.debug({ method: request.method, route, status: reply.statusCode, ms: Math.round(reply.elapsedTime) }, 'request')
    done()
  })
  await app.register(authPlugin, { hub })
  app.addHook('preValidation', refuseDeep)
  await app.register(swaggerUi, {
    routePrefix: '/api/docs',
    uiConfig: { deepLinking: false, docExpansion: 'none', filter: true, tagsSorter: 'alpha' },
    theme: { title: 'Huike API' },
    logo: { type: 'image/svg+xml', content: wordmark, href: '/api/docs' },
    // Its bundle writes style elements of its own; nobody's data is on that page.
    transformStaticCSP: (header) => header.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'"),
  })
  return app
}
