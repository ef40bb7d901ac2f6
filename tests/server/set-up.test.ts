/** The first owner and what they find: both, or neither. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Type } from 'typebox'
import { mockChannel } from '../../core/sdk/testing.ts'
import { Agent } from '../../core/src/domain/agent/agent.entity.ts'
import { createOwner, ownerExists } from '../../core/src/domain/agent/create-owner.ts'
import { Inbox } from '../../core/src/domain/inbox/inbox.entity.ts'
import { hubLanguage } from '../../core/src/domain/setting/hub-language.ts'
import { makePlace, profiles } from '../support/profiles.ts'
import { found, onEveryProfile, startWorld } from '../support/world.ts'

const good = mockChannel('good').manifest
const bad = mockChannel('spoilt').manifest
const withStarter = (manifest: typeof good, inboxSettings: object) =>
  ({ ...manifest, channel: { ...manifest.channel, starter: { zh: '起步', en: 'Starter' }, ...inboxSettings } }) as typeof good
const input = { name: '周敏', email: 'zhou.min@shanye.cn', password: 'mountain-tea-2026' }

await onEveryProfile(
  'set-up',
  [found(withStarter(good, {})), found(withStarter(bad, { inboxSettings: Type.Object({ key: Type.String({ minLength: 1 }) }) }))],
  (world) => {
    test('a starter inbox that cannot be made leaves no owner behind, and set-up can be tried again', async () => {
      const { hub } = world()
      await assert.rejects(createOwner(hub, input), { code: 'HUB_SETTINGS_INVALID' })
      const em = hub.em()
      assert.deepEqual([await ownerExists(em), await em.count(Agent, {}), await em.count(Inbox, {})], [false, 0, 0])
      await world().whileOff('spoilt', async () => {
        await createOwner(hub, input)
        assert.deepEqual([await ownerExists(em), await em.count(Inbox, { channel: 'good' })], [true, 1])
        await assert.rejects(createOwner(hub, { ...input, email: 'second@shanye.cn' }), { code: 'HUB_SETUP_DONE' })
      })
    })
  },
)

for (const profile of await profiles())
  test(`the owner of the configuration has a language, and the first inboxes a name in it [${profile}]`, async () => {
    const place = await makePlace(profile)
    const owner = { HUB_OWNER_EMAIL: input.email, HUB_OWNER_PASSWORD: input.password, HUB_OWNER_LOCALE: 'en' }
    const { running, hub } = await startWorld(place, [found(withStarter(good, {}))], owner)
    try {
      const [agent] = await hub.em().find(Agent, {})
      const [inbox] = await hub.em().find(Inbox, {})
      assert.deepEqual([agent?.locale, inbox?.name], ['en', 'Starter'])
      assert.equal(await hubLanguage(hub.em()), 'en')
    } finally {
      await running.stop()
      await place.remove()
    }
  })
