/** The two Vue apps, as built files. Every address below an app that is no file is the app's own page. */
import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import fastifyStatic from '@fastify/static'
import { ownerExists } from '../domain/agent/create-owner.ts'
import type { Hub } from '../hub.ts'
import type { App } from './server.ts'

const root = resolve(import.meta.dirname, '../../..')

export async function appRoutes(app: App, hub: Hub): Promise<void> {
  const apps = ['workbench', 'admin'] as const
  app.get('/', { schema: { hide: true } }, async (_request, reply) => reply.redirect((await ownerExists(hub.em())) ? '/workbench' : '/admin/setup'))
  for (const name of apps) {
    const dist = join(root, `${name}-ui/dist`)
    const index = join(dist, 'index.html')
    const page = existsSync(index) ? readFileSync(index, 'utf8') : missing(name)
    await app.register(fastifyStatic, {
      root: join(dist, 'assets'),
      prefix: `/${name}/assets/`,
      decorateReply: false,
      preCompressed: true,
      immutable: true,
      maxAge: '365d',
      schemaHide: true,
    })
    for (const url of [`/${name}`, `/${name}/*`])
      app.get(url, { schema: { hide: true } }, (_request, reply) => reply.type('text/html; charset=utf-8').header('cache-control', 'no-cache').send(page))
  }
  // Shared by the apps and by plugins' UI modules, so that there is one Vue in a page.
  await app.register(fastifyStatic, {
    root: join(root, 'workbench-ui/dist/shared'),
    prefix: '/ui/shared/',
    decorateReply: false,
    preCompressed: true,
    maxAge: '1h',
    schemaHide: true,
  })
}

const missing = (name: string): string =>
  `<!doctype html><meta charset="utf-8"><title>Huike</title><p>The ${name} has not been built: <code>npm run build</code>.</p>`
