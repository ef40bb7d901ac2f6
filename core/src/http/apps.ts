/** The two Vue apps, as built files. Every address below an app that is no file is the app's own page. */
import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import fastifyStatic from '@fastify/static'
import { ownerExists } from '../domain/agent/create-owner.ts'
import type { Hub } from '../hub.ts'
import type { App } from './server.ts'

/** @param root the checkout, or a folder that is built like it */
export async function appRoutes(app: App, hub: Pick<Hub, 'em'>, root = resolve(import.meta.dirname, '../../..')): Promise<void> {
  const apps = ['workbench', 'admin'] as const
  app.get('/', { schema: { hide: true } }, async (_request, reply) => reply.redirect((await ownerExists(hub.em())) ? '/workbench' : '/admin/setup'))
  for (const name of apps) {
    const dist = join(root, `${name}-ui/dist`)
    const index = join(dist, 'index.html')
    // Read anew for each visit: what was built meanwhile has other names.
    const page = () => readFile(index, 'utf8').catch(() => missing(name))
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
      app.get(url, { schema: { hide: true } }, async (_request, reply) =>
        reply
          .type('text/html; charset=utf-8')
          .header('cache-control', 'no-cache')
          .send(await page()),
      )
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
