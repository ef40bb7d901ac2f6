/** Routes of plugins: registered once, each in a scope of its own; while the plugin is off they answer 404. */
import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import { HubError } from '../../sdk/errors.ts'
import { sendBuilt } from '../http/send-built.ts'
import { inTime } from '../in-time.ts'
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
          guardLife(scope, (error) => {
            ctx.log.error({ err: error }, 'a hook of the server’s life failed')
            kernel.spoil(manifest.id, error)
          })
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
      app.get(asset.path, { onRequest: onlyWhenRunning, schema: { hide: true } }, (request, reply) => {
        // A script for other people's pages may be loaded by them.
        if (asset.embeddable) reply.header('cross-origin-resource-policy', 'cross-origin')
        return sendBuilt(request, reply, join(dir, asset.file), { type: asset.type, cache: `public, max-age=${asset.maxAgeSeconds ?? 300}` })
      })
    try {
      for (const asset of manifest.assets ?? []) serve(asset)
    } catch (error) {
      kernel.spoil(manifest.id, error)
    }
  }
}

/** Of onListen Fastify itself takes care. */
const lifeHooks = new Set(['onReady', 'preClose', 'onClose'])
const hookTimeoutMs = 10_000

/** Hooks of the whole server's life, not of a request's: one of them that throws would end the hub's start or its stop. */
function guardLife(scope: FastifyInstance, broke: (error: unknown) => void): void {
  const addHook = scope.addHook as (name: string, hook: unknown) => FastifyInstance
  // Scopes inside this one inherit it.
  scope.addHook = function (this: FastifyInstance, name: string, hook: (...given: unknown[]) => unknown) {
    if (!lifeHooks.has(name)) return addHook.call(this, name, hook)
    // onClose is given the instance first; whoever takes one more wants to be called back.
    const given = name === 'onClose' ? [this] : []
    return addHook.call(this, name, async () => {
      const run = async () => {
        if (hook.length <= given.length) return hook.call(this, ...given)
        return new Promise<void>((done, fail) => void hook.call(this, ...given, (error?: unknown) => (error ? fail(error) : done())))
      }
      try {
        await inTime(run(), hookTimeoutMs, name)
      } catch (error) {
        broke(error)
      }
    })
  } as FastifyInstance['addHook']
}
