/** Scenarios are worlds that hold what they promise, on every profile; a person opens the same ones by `npm run dev -- NAME`. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { Agent } from '../../core/src/domain/agent/agent.entity.ts'
import { findScenario, scenarioNames } from '../scenarios/scenario.ts'
import { makePlace, profiles } from '../support/profiles.ts'
import { found, startWorld, type World } from '../support/world.ts'

test('an unknown name is told, with those there are', async () => {
  await assert.rejects(findScenario('no-such-world'), /two-desks/)
  await assert.rejects(findScenario('../support'), /There is no scenario/)
})

for (const profile of await profiles())
  for (const name of scenarioNames())
    describe(`${name} [${profile}]`, () => {
      let world: World
      let lines: string[]
      before(async () => {
        const scenario = await findScenario(name)
        world = await startWorld(
          await makePlace(profile),
          (scenario.plugins ?? []).map((manifest) => found(manifest)),
        )
        lines = await scenario.seed(world.hub)
      })
      after(async () => {
        await world.running.stop()
        await world.place.remove()
      })

      test('everybody it names can sign in', async () => {
        for (const line of lines) {
          const [email = '', password = ''] = line.split(' / ')
          const response = await fetch(`${world.url}/api/login`, {
            method: 'POST',
            headers: { 'content-type': 'application/json' },
            body: JSON.stringify({ email, password }),
          })
          assert.equal(response.status, 200, line)
        }
      })

      if (name === 'two-desks')
        test('each desk sees its own conversation; the customer of both is one contact with one trail', async () => {
          const seen = []
          for (const email of ['sales@two-desks.test', 'service@two-desks.test']) {
            const agent = await world.signIn(await world.hub.em().findOneOrFail(Agent, { email }))
            const { items } = (await agent.call('GET', '/api/conversations?group=mine')).body
            assert.equal(items.length, 1, email)
            assert.deepEqual([items[0].replyLeft, items[0].replyUntil !== null], [5, true])
            assert.equal((await world.reply(agent, items[0].id, '您好，马上为您查')).status, 201)
            const trail = (await agent.call('GET', `/api/contacts/${items[0].contact.id}/activities`)).body.items
            assert.equal(trail.length, 2)
            seen.push(items[0])
          }
          assert.notEqual(seen[0].id, seen[1].id)
          assert.equal(seen[0].contact.id, seen[1].contact.id)
        })
    })
