/** The HTTP server with what every request passes through. */
import cookie from '@fastify/cookie'
import helmet from '@fastify/helmet'
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
import { lineSources } from '../../sdk/content-policy.ts'
import { hubVersion } from '../config/version.ts'
import { newId } from '../db/types.ts'
import { maxFileBytes } from '../domain/file/store-file.ts'
import type { Hub } from '../hub.ts'
import { authPlugin } from './auth.ts'
import { errorHandler, notFound } from './errors.ts'

export type App = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression<RawServerDefault>,
  RawReplyDefaultExpression<RawServerDefault>,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>

export async function createServer(hub: Hub, logger: FastifyBaseLogger): Promise<App> {
  const app: App = Fastify({
    loggerInstance: logger,
    trustProxy: hub.env.trustProxy,
    bodyLimit: 256 * 1024,
    genReqId: () => newId(),
    logController: new LogController({ disableRequestLogging: true }),
    routerOptions: { maxParamLength: 200 },
    ajv: { customOptions: { coerceTypes: true, removeAdditional: false, allErrors: false } },
  }).withTypeProvider<TypeBoxTypeProvider>()

  // Presenters decide what goes out; response schemas document it.
  app.setSerializerCompiler(() => JSON.stringify)
  app.setErrorHandler(errorHandler)
  app.setNotFoundHandler(notFound)

  await app.register(helmet, {
    contentSecurityPolicy: {
      directives: {
        defaultSrc: ["'self'"],
        scriptSrc: ["'self'"],
        // Vue and Element Plus set styles through the CSSOM, which this allows; a style attribute in markup it does not.
        styleSrc: ["'self'"],
        imgSrc: ["'self'", 'data:', 'blob:'],
        mediaSrc: ["'self'", 'data:', 'blob:'],
        // Letters, documents and the widget's preview lie in frames, all of this hub.
        frameSrc: ["'self'"],
        connectSrc: ["'self'", ({ headers }) => lineSources(headers.host, hub.env.publicUrl).join(' ')],
        fontSrc: ["'self'"],
        objectSrc: ["'none'"],
        frameAncestors: ["'self'"],
        baseUri: ["'self'"],
        formAction: ["'self'"],
        upgradeInsecureRequests: null,
      },
    },
    // Only a hub behind TLS may promise TLS.
    strictTransportSecurity: hub.env.publicUrl.startsWith('https:') ? { maxAge: 15_552_000 } : false,
    crossOriginEmbedderPolicy: false,
    crossOriginResourcePolicy: { policy: 'same-origin' },
    referrerPolicy: { policy: 'strict-origin-when-cross-origin' },
  })
  await app.register(cookie)
  await app.register(rateLimit, { global: false })
  await app.register(multipart, { limits: { fileSize: maxFileBytes, files: 1, fields: 5 }, throwFileSizeLimit: true })
  await app.register(swagger, {
    openapi: {
      info: { title: 'Huike', version: hubVersion, description: 'Sign in with a session cookie or send an API token: `Authorization: Bearer hk_…`.' },
    },
    hideUntagged: false,
  })

  app.addHook('onSend', async (_request, reply) => {
    if (hub.closing) reply.header('connection', 'close')
  })
  app.addHook('onResponse', async (request, reply) => {
    const route = request.routeOptions.url ?? 'none'
    hub.metrics.requests.observe({ method: request.method, route, status: String(reply.statusCode) }, reply.elapsedTime / 1_000)
    // Routes, not URLs: an address can carry a token or a name.
    request.log.debug({ method: request.method, route, status: reply.statusCode, ms: Math.round(reply.elapsedTime) }, 'request')
  })
  await app.register(authPlugin, { hub })
  await app.register(swaggerUi, {
    routePrefix: '/api/docs',
    uiConfig: { deepLinking: false },
    // Its bundle writes style elements of its own; nobody's data is on that page.
    transformStaticCSP: (header) => header.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'"),
  })
  return app
}
