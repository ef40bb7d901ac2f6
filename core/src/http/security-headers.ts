/** What every answer tells the browser to refuse. Helmet's, made once: the Fastify plugin around it reads its options anew for every request. */
import type { FastifyInstance } from 'fastify'
import fastifyPlugin from 'fastify-plugin'
import helmet from 'helmet'
import { lineSources } from '../../sdk/content-policy.ts'
import type { Hub } from '../hub.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The route writes headers of its own. */
    ownSecurityHeaders?: true
  }
}

export const securityHeaders = fastifyPlugin(async (app: FastifyInstance, { hub }: { hub: Hub }) => {
  const write = helmet({
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
  app.addHook('onRequest', (request, reply, done) => {
    if (request.routeOptions.config.ownSecurityHeaders) done()
    else write(request.raw, reply.raw, (error) => done(error as Error | undefined))
  })
})
