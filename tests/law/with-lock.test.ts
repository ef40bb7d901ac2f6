/** `ctx.lock`, `ctx.seal`, `ctx.unseal`: one at a time over all calls and processes; what is sealed opens for this plugin of this hub only. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { definePlugin } from '../../core/sdk/plugin.ts'
import { dropLease, takeLease } from '../../core/src/db/lease.ts'
import { Lease } from '../../core/src/domain/setting/setting.entity.ts'
import { makePlace, profiles } from '../support/profiles.ts'
import { found, onEveryProfile, startWorld, type World } from '../support/world.ts'

const keeper = definePlugin({ id: 'keeper', version: '1.0.0', label: { zh: '看门人', en: 'Keeper' } })
const other = definePlugin({ id: 'other', version: '1.0.0', label: { zh: '另一个', en: 'Another' } })

await onEveryProfile('lock', [found(keeper), found(other)], (world) => {
  const ctx = (id = 'keeper') => {
    const plugin = world().hub.kernel.get(id)
    assert.ok(plugin)
    return plugin.ctx
  }

  test('twenty at once of one name: never two inside, each gets its turn; another name does not wait', async () => {
    let inside = 0
    let most = 0
    const done = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        ctx().lock('token', 30_000, async () => {
          most = Math.max(most, ++inside)
          await new Promise((resolve) => setImmediate(resolve))
          inside--
          return i
        }),
      ),
    )
    assert.deepEqual([most, done.length], [1, 20])
    await ctx().lock('a', 5_000, () => ctx().lock('b', 5_000, async () => undefined))
    await ctx().lock('a', 5_000, () => ctx('other').lock('a', 5_000, async () => undefined))
  })

  test('no turn within the time is HUB_CONFLICT; work that throws gives the lock back; a dead holder’s lock ends', async () => {
    const hold = Promise.withResolvers<void>()
    const inside = Promise.withResolvers<void>()
    const holding = ctx().lock('slow', 30_000, () => {
      inside.resolve()
      return hold.promise
    })
    await inside.promise
    await assert.rejects(
      ctx().lock('slow', 50, async () => undefined),
      { code: 'HUB_CONFLICT' },
    )
    hold.resolve()
    await holding
    await assert.rejects(
      ctx().lock('slow', 5_000, async () => {
        throw new Error('no')
      }),
      /no/,
    )
    await ctx().lock('slow', 5_000, async () => undefined)
    // What a process that died still holds is over when its time is.
    const em = world().hub.em()
    let lease = ''
    await ctx().lock('dead', 5_000, async () => {
      const held = await em.find(Lease, { name: { $like: 'lock:keeper:%' }, until: { $gt: new Date() } }, { disableIdentityMap: true })
      lease = held[0]?.name ?? ''
    })
    await takeLease(em, lease, 'a-process-that-died', -1)
    assert.equal(await ctx().lock('dead', 5_000, async () => 'mine'), 'mine')
    await dropLease(em, lease, 'a-process-that-died')
  })

  test('sealed text opens again, is different each time, and is nothing to another plugin, when changed, or for another hub’s key', async () => {
    const sealed = ctx().seal('刷新令牌 refresh-token')
    assert.doesNotMatch(sealed, /refresh/)
    assert.notEqual(sealed, ctx().seal('刷新令牌 refresh-token'))
    assert.equal(ctx().unseal(sealed), '刷新令牌 refresh-token')
    assert.equal(ctx('other').unseal(sealed), undefined)
    assert.equal(ctx().unseal(`${sealed.slice(0, -6)}AAAAAA`), undefined)
    assert.equal(ctx().unseal('not sealed at all'), undefined)
  })
})

const served = (await profiles()).includes('served')
describe('lock over two processes', { skip: served ? false : 'needs MariaDB and Redis' }, () => {
  let worlds: World[] = []
  before(async () => {
    const place = await makePlace('served')
    worlds = await Promise.all([1, 2].map(() => startWorld(place, [found(keeper)])))
  })
  after(async () => {
    await Promise.all(worlds.map((world) => world.running.stop()))
    await worlds[0]?.place.remove()
  })

  test('one refresher at a time', async () => {
    let inside = 0
    let most = 0
    await Promise.all(
      Array.from({ length: 12 }, (_, i) =>
        worlds[i % 2]?.hub.kernel.get('keeper')?.ctx.lock('token', 30_000, async () => {
          most = Math.max(most, ++inside)
          await new Promise((resolve) => setImmediate(resolve))
          inside--
        }),
      ),
    )
    assert.equal(most, 1)
  })
})
