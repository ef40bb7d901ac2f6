/** The database is away while a message is handed to its platform: what the platform said is written once it is back, and nobody is sent anything twice. */
import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import { type OutboundMessage, SendError } from '../../core/sdk/channel.ts'
import { mockChannel } from '../../core/sdk/testing.ts'
import { Message, Outbound } from '../../core/src/domain/message/message.entity.ts'
import { eventually, found, onEveryProfile } from '../support/world.ts'

let send: (message: OutboundMessage) => Promise<{ externalId?: string }>
const { manifest } = mockChannel('post', {}, { send: (message) => send(message) })

await onEveryProfile('outage', [found(manifest)], (world) => {
  const em = () => world().hub.em()
  const read = (id: string) => em().findOneOrFail(Message, { id }, { disableIdentityMap: true })
  /** From here on no message can be changed, as when the database is away just as it would be. */
  const away = () =>
    em().execute(
      world().place.databaseUrl
        ? "create trigger outage before update on message for each row signal sqlstate '45000' set message_text = 'away'"
        : "create trigger outage before update on message begin select raise(abort, 'away'); end",
    )
  const back = () => em().execute('drop trigger outage')
  /** Waits until the hub has tried in vain to write. */
  async function inVain(level: 'warn' | 'error', words: string): Promise<void> {
    const said = Promise.withResolvers<void>()
    const { log } = world().hub
    const { mock: method } = mock.method(log, level, (_of: unknown, text?: string) => text === words && said.resolve())
    await said.promise.finally(() => method.restore())
  }
  const writtenAgain = () => inVain('warn', 'the fate of a message is written again')

  async function conversation() {
    const inbox = await world().inbox('post')
    const agent = await world().person('小安', 'admin')
    const [said] = await world().say(inbox, 'a', '在吗')
    const write = async (text: string) => (await world().reply(agent, said?.conversationId, text)).body as { id: string }
    return { write, agent }
  }

  test('as the platform answers: sent, not uncertain', async () => {
    const sent: string[] = []
    const tried = writtenAgain()
    send = async ({ id }) => {
      sent.push(id)
      await away()
      return { externalId: `p-${id}` }
    }
    const { id } = await (await conversation()).write('在的')
    await tried
    await back()
    await eventually(async () => (await read(id)).status === 'sent', 'sent')
    assert.equal((await read(id)).externalId, `p-${id}`)
    assert.equal(await em().count(Outbound, { messageId: id }), 0)
    assert.deepEqual(sent, [id])
  })

  test('between two pieces: each goes once', async () => {
    const pieces: number[] = []
    const tried = writtenAgain()
    send = async (message) => {
      for (const piece of [1, 2].slice(message.done)) {
        pieces.push(piece)
        if (piece === 1) await away()
        await message.progress(piece, `p-${message.id}-${piece}`)
      }
      return {}
    }
    const { id } = await (await conversation()).write('在的')
    await tried
    await back()
    await eventually(async () => (await read(id)).status === 'sent', 'sent')
    assert.deepEqual(pieces, [1, 2])
  })

  test('before it is handed over: nobody was given it, so it is tried again and never called uncertain', async () => {
    const sent: string[] = []
    send = async ({ id }) => {
      sent.push(id)
      throw new SendError('busy', { retry: true })
    }
    const { id } = await (await conversation()).write('在的')
    await eventually(async () => (await read(id)).failure === 'busy', 'the first try')
    const failed = inVain('error', 'a message could not be read to be sent')
    await em().execute('alter table identity rename to identity_away')
    try {
      await em().nativeUpdate(Outbound, { messageId: id }, { dueAt: new Date(0) })
      await world().running.sweep()
      await failed
      await eventually(async () => (await read(id)).failure === 'hub', 'that it could not be read')
    } finally {
      await em().execute('alter table identity_away rename to identity')
    }
    send = async ({ id }) => {
      sent.push(id)
      return {}
    }
    await em().nativeUpdate(Outbound, { messageId: id }, { dueAt: new Date(0) })
    await world().running.sweep()
    await eventually(async () => (await read(id)).status === 'sent', 'sent')
    assert.deepEqual(sent, [id, id])
  })
})
