/** For plugin authors: a channel that is no platform, and simulators of platforms (ours). The suite every channel must pass is `conformance.ts`. */
import { Type } from 'typebox'
import type { ChannelAdapter, ChannelCapabilities, OutboundMessage, SendError } from './channel.ts'
import { HubError } from './errors.ts'
import { definePlugin } from './plugin.ts'

export * from './simulators/index.ts'

/** What the mock platform got, and how it shall behave. */
export interface MockPlatform {
  sent: OutboundMessage[]
  /** Platform ids of messages that were taken back. */
  recalled: string[]
  /** Consulted at every send; return an error to fail with. */
  fail: ((message: OutboundMessage) => SendError | undefined) | undefined
}

/** A channel plugin over a platform in memory: webhooks are JSON with a shared secret, sends land in `platform.sent`. `more` puts functions of the adapter in place of the mock's. */
export function mockChannel(id = 'mock', capabilities: Partial<ChannelCapabilities> = {}, more: Partial<ChannelAdapter> = {}) {
  const platform: MockPlatform = { sent: [], recalled: [], fail: undefined }
  const manifest = definePlugin({
    id,
    version: '1.0.0',
    label: { zh: '模拟渠道', en: 'Mock channel' },
    channel: {
      label: { zh: '模拟渠道', en: 'Mock channel' },
      inboxSettings: Type.Object({ secret: Type.String({ format: 'secret', default: 'mock-secret' }) }),
      capabilities: { send: ['text', 'image', 'file'], delivery: 'push', maxTextLength: 2_000, recallMs: 60_000, ...capabilities },
      receive(request, inbox) {
        if (request.headers['x-mock-secret'] !== inbox.settings.secret) throw new HubError('HUB_CHANNEL_UNVERIFIED', 'The signature is wrong')
        const { id: externalId, from, text } = JSON.parse(request.body.toString('utf8')) as { id: string; from: string; text: string }
        return { events: [{ kind: 'message', externalId, from: { externalId: from }, parts: [{ type: 'text', text }] }], reply: { body: 'success' } }
      },
      async send(message) {
        const failure = platform.fail?.(message)
        if (failure) throw failure
        platform.sent.push(message)
        return { externalId: `p-${message.id}` }
      },
      async recall({ externalId }) {
        platform.recalled.push(externalId)
      },
      ...more,
    },
  })
  return { manifest, platform }
}
