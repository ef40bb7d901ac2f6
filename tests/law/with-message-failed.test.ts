/** `message.failed`: whoever listens hears when what we sent did not arrive and is not tried any more, each time it ends so. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SendError } from '../../core/sdk/channel.ts'
import type { HubEvent } from '../../core/sdk/events.ts'
import { definePlugin } from '../../core/sdk/plugin.ts'
import { mockChannel } from '../../core/sdk/testing.ts'
import { Message } from '../../core/src/domain/message/message.entity.ts'
import { eventually, found, onEveryProfile } from '../support/world.ts'

const { manifest, platform } = mockChannel()
const heard: HubEvent<'message.failed'>['data'][] = []
const listener = definePlugin({
  id: 'listener',
  version: '1.0.0',
  label: { zh: '听着', en: 'Listener' },
  on: { 'message.failed': ({ data }) => void heard.push(data) },
})

await onEveryProfile('a message that failed', [found(manifest), found(listener)], (world) => {
  const of = (id: string) => heard.filter(({ message }) => message.id === id).map(({ failure }) => failure)
  const told = (id: string, failures: string[]) =>
    eventually(() => of(id).length >= failures.length && assert.deepEqual(of(id), failures) === undefined, 'the event')
  const fate = (id: string, status: string) =>
    eventually(async () => (await world().hub.em().findOneOrFail(Message, { id }, { disableIdentityMap: true })).status === status, status)

  test('refused, stopped, and reported later after it was sent again', async () => {
    const inbox = await world().inbox('mock')
    const agent = await world().person('小安', 'admin')
    const [said] = await world().say(inbox, 'a', '你好')
    const write = async (text: string) => (await world().reply(agent, said?.conversationId, text)).body as { id: string }

    platform.fail = () => new SendError('blocked', { retry: false })
    const refused = await write('在吗')
    await told(refused.id, ['blocked'])
    const first = heard.find(({ message }) => message.id === refused.id)
    assert.deepEqual([first?.conversation.id, first?.conversation.channel, first?.message.text], [said?.conversationId, 'mock', '在吗'])

    platform.fail = () => new SendError('away', { retry: true, retryAfterMs: 3_600_000 })
    const stopped = await write('还在吗')
    await eventually(
      async () => (await world().hub.em().findOneOrFail(Message, { id: stopped.id }, { disableIdentityMap: true })).failure === 'away',
      'the wait',
    )
    // That it waits is no end.
    assert.deepEqual(of(stopped.id), [])
    assert.equal((await agent.call('POST', `/api/messages/${stopped.id}/stop`, {})).status, 200)
    await told(stopped.id, ['stopped'])

    platform.fail = undefined
    for (const failures of [
      ['blocked', 'bounced'],
      ['blocked', 'bounced', 'bounced'],
    ]) {
      assert.equal((await agent.call('POST', `/api/messages/${refused.id}/resend`, {})).status, 200)
      await fate(refused.id, 'sent')
      const { externalId } = await world().hub.em().findOneOrFail(Message, { id: refused.id }, { disableIdentityMap: true })
      await world()
        .hub.kernel.get('mock')
        ?.ctx.accept(inbox.id, [
          { kind: 'failure', externalId: `late-${failures.length}`, from: { externalId: 'a' }, messageExternalId: externalId ?? '', reason: 'bounced' },
        ])
      await told(refused.id, failures)
    }
  })
})
