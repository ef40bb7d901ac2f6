/** Routes of plugins: registered once, each in a scope of its own; while the plugin is off they answer 404. */
import { createReadStream, existsSync } from 'node:fs'
import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import { HubError } from '../../sdk/errors.ts'
import type { Kernel } from './kernel.ts'

export async function registerPluginRoutes(app: FastifyInstance, kernel: Kernel): Promise<void> {
  for (const { manifest, dir, ctx } of kernel.all()) {
    const onlyWhenRunning = async () => {
      if (!kernel.isRunning(manifest.id)) throw new HubError('HUB_NOT_FOUND', 'There is nothing here')
    }
    if (manifest.routes) {
      app.register(
        async (scope) => {
          scope.addHook('onRequest', onlyWhenRunning)
          await manifest.routes?.(scope, ctx)
        },
        { prefix: `/api/x/${manifest.id}` },
      )
      // Here ends, too, what the plugin registered inside without waiting for it.
      app.after((error) => {
        if (error) kernel.spoil(manifest.id, error)
      })
      await app.after()
    }
    const serve = (asset: NonNullable<typeof manifest.assets>[number]) =>
      app.get(asset.path, { onRequest: onlyWhenRunning, schema: { hide: true } }, (_request, reply) => {
        const file = join(dir, asset.file)
        if (!existsSync(file)) throw new HubError('HUB_NOT_FOUND', 'There is nothing here')
        // A script for other people's pages may be loaded by them.
        if (asset.embeddable) reply.header('cross-origin-resource-policy', 'cross-origin')
        return reply
          .type(asset.type)
          .header('cache-control', `public, max-age=${asset.maxAgeSeconds ?? 300}`)
          .send(createReadStream(file))
      })
    try {
      for (const asset of manifest.assets ?? []) serve(asset)
    } catch (error) {
      kernel.spoil(manifest.id, error)
    }
  }
}
