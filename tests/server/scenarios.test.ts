/** Scenarios are worlds that hold what they promise, on every profile; a person opens the same ones by `npm run dev -- NAME`. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { Agent } from '../../core/src/domain/agent/agent.entity.ts'
import { discoverPlugins } from '../../core/src/kernel/discover.ts'
import { findScenario, type Opened, scenarioNames } from '../scenarios/scenario.ts'
import { makePlace, profiles } from '../support/profiles.ts'
import { needsPlugins } from '../support/without-plugins.ts'
import { envFor, eventually, found, startWorld, type World } from '../support/world.ts'

const scenarios = join(import.meta.dirname, '../scenarios')
/** Without `plugins/` those that live by bundled ones cannot be opened. */
const names = scenarioNames().filter((name) => existsSync(join(scenarios, '../../plugins')) || !needsPlugins(join(scenarios, name, 'world.ts')))

test('an unknown name is told, with those there are', async () => {
  await assert.rejects(findScenario('no-such-world'), /two-desks/)
  await assert.rejects(findScenario('../support'), /There is no scenario/)
})

for (const profile of await profiles())
  for (const name of names)
    describe(`${name} [${profile}]`, () => {
      let world: World
      let opened: Opened
      before(async () => {
        const scenario = await findScenario(name)
        const place = await makePlace(profile)
        const bundled = scenario.bundled ? await discoverPlugins(envFor(place)) : []
        world = await startWorld(place, [...bundled, ...(scenario.plugins ?? []).map((manifest) => found(manifest))])
        opened = await scenario.seed(world.running)
      })
      after(async () => {
        await opened?.close?.()
        await world.running.stop()
        await world.place.remove()
      })

      test('everybody it names can sign in', async () => {
        for (const line of opened.people) {
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

      if (name === 'omnichannel')
        test('on every phone one writes, an agent answers, and the answer is on the phone; a repeat and a lost answer make no second', async () => {
          const url = opened.lines?.map((line) => /http:\S+/.exec(line)?.[0]).find(Boolean) ?? ''
          const say = async (phone: string, deed: object) => {
            const response = await fetch(`${url}/do/${phone}`, { method: 'POST', body: JSON.stringify(deed) })
            assert.equal(response.status, 200, await response.text())
          }
          const state = async (): Promise<any> => (await fetch(`${url}/state`)).json()
          const owner = await world.signIn(await world.hub.em().findOneOrFail(Agent, { email: 'owner@omnichannel.test' }))
          await owner.call('PUT', '/api/me/presence', { presence: 'online' })
          const { phones } = await state()
          const conversationOf = (text: string) =>
            eventually(async () => {
              for (const group of ['queue', 'open']) {
                const { items } = (await owner.call('GET', `/api/conversations?group=${group}`)).body
                const one = items.find(({ preview }: { preview: string }) => preview.includes(text))
                if (one) return one as { id: string; status: string }
              }
              return undefined
            }, `a conversation about ${text}`)
          for (const { id } of phones as { id: string }[]) {
            await say(id, { do: 'text', text: `${id}：在吗`, subject: id })
            await say(id, { do: 'again' })
            const conversation = await conversationOf(`${id}：在吗`)
            if (conversation.status === 'queued') assert.equal((await owner.call('POST', `/api/conversations/${conversation.id}/take`)).status, 200)
            const words = (await owner.call('GET', `/api/conversations/${conversation.id}/messages?limit=50`)).body.items
            assert.equal(words.filter(({ direction }: { direction: string }) => direction === 'in').length, 1, id)
            await say(id, { do: 'lose' })
            for (const text of [`${id}：这一句的应答丢了`, `${id}：在的`]) {
              assert.equal((await world.reply(owner, conversation.id, text)).status, 201)
              await eventually(async () => {
                await world.hasten()
                const phone = (await state()).phones.find((one: { id: string }) => one.id === id)
                return phone.lines.filter((line: { from: string; text: string }) => line.from === 'shop' && line.text.includes(text)).length === 1
              }, `${text} on the phone`)
            }
            const all = (await owner.call('GET', `/api/conversations/${conversation.id}/messages?limit=50`)).body.items
            const lost = all.find(({ parts }: { parts: { text?: string }[] }) => parts[0]?.text?.includes('丢了'))
            // Douyin's echo and the app's memory clear it up; WeChat and mail leave it to a person.
            await eventually(async () => {
              const { items } = (await owner.call('GET', `/api/conversations/${conversation.id}/messages?limit=50`)).body
              const { status } = items.find((one: { id: string }) => one.id === lost.id)
              return (['douyin', 'app'].includes(id) ? ['sent', 'delivered', 'read'] : ['uncertain']).includes(status)
            }, `${id}: its fate`)
          }
          assert.equal((await fetch(url)).status, 200)
          assert.equal((await fetch(`${url}/../secret`)).status, 404)
        })
    })
