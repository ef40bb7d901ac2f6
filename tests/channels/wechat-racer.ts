/** A process of `wechat-race.test.ts`: a hub without a door, which gets tokens when told to. */
import type { PluginContext } from '../../core/sdk/plugin.ts'
import wechat from '../../plugins/wechat/plugin.ts'
import type { WechatSettings } from '../../plugins/wechat/server/inbox-settings.ts'
import { tokenFor, tokenInsteadOf } from '../../plugins/wechat/server/token.ts'
import { found, startWorld } from '../support/world.ts'

const world = await startWorld(JSON.parse(process.env.RACER_PLACE ?? '{}'), [found(wechat)])
const { ctx } = world.hub.kernel.get('wechat') as { ctx: PluginContext }

process.on('message', async ({ settings, times, refused }: { settings: WechatSettings; times: number; refused?: string }) => {
  try {
    const held = await Promise.all(Array.from({ length: times }, () => (refused ? tokenInsteadOf(ctx, settings, refused) : tokenFor(ctx, settings))))
    process.send?.({ tokens: held.map(({ token }) => token) })
  } catch (error) {
    process.send?.({ error: String(error) })
  }
})
process.on('disconnect', () => process.exit(0))
process.send?.('ready')
