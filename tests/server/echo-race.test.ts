/** Our message and its echo at two processes at once: whoever is first, one message at the end. Runs where MariaDB and Redis are. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { mockChannel } from '../../core/sdk/testing.ts'
import { Message, ParkedEvent } from '../../core/src/domain/message/message.entity.ts'
import { makePlace, profiles } from '../support/profiles.ts'
import { eventually, found, startWorld, type World } from '../support/world.ts'

const served = (await profiles()).includes('served')

describe('a web and a worker', { skip: served ? false : 'needs MariaDB and Redis' }, () => {
  /** The platform tells the echo to the web before, while and after it answers the worker. */
  let onSend: (text: string, externalId: string) => Promise<void> = async () => undefined
  const { manifest } = mockChannel(
    'mock',
    {},
    {
      async send(message) {
        const externalId = `p-${message.id}`
        await onSend(message.parts[0]?.type === 'text' ? message.parts[0].text : '', externalId)
        return { externalId }
      },
    },
  )
  let web: World
  let worker: World
  before(async () => {
    const place = await makePlace('served')
    const worlds = await Promise.all((['web', 'worker'] as const).map((role) => startWorld(place, [found(manifest)], { HUB_ROLE: role })))
    ;[web, worker] = worlds as [World, World]
  })
  after(async () => {
    await Promise.all([web, worker].map((world) => world.running.stop()))
    await web.place.remove()
  })

  test('ten messages, each echoed three times around its answer: ten messages', async () => {
    const inbox = await web.inbox('mock')
    const agent = await web.person('小安', 'owner')
    const [said] = await web.say(inbox, 'a', '你好')
    const echoes: Promise<unknown>[] = []
    onSend = async (text, externalId) => {
      const echo = () => web.hub.intake.accept(inbox.id, [{ kind: 'echo', externalId, from: { externalId: 'a' }, parts: [{ type: 'text', text }] }])
      await echo()
      // These race the answer.
      echoes.push(echo(), new Promise((resolve) => setImmediate(resolve)).then(echo))
    }
    const ids: string[] = []
    for (let i = 0; i < 10; i++) ids.push((await web.reply(agent, said?.conversationId, `第${i}句`)).body.id)
    const em = () => web.hub.em()
    await eventually(async () => (await em().count(Message, { id: { $in: ids }, status: 'sent' })) === 10, 'the sending')
    await Promise.all(echoes)
    await eventually(async () => {
      await worker.hasten()
      return (await em().count(ParkedEvent, { inboxId: inbox.id })) === 0
    }, 'the echoes')
    const out = await em().find(Message, { inboxId: inbox.id, direction: 'out' }, { orderBy: { seq: 'asc' }, disableIdentityMap: true })
    assert.deepEqual(
      out.map(({ id }) => id),
      ids,
    )
  })
})
