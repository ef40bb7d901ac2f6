/** The generator's plugins run as written, from a folder of their own, beside the bundled ones. */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { createHmac } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { join, resolve } from 'node:path'
import { after, test } from 'node:test'
import type { PluginContext, PluginManifest } from '../../core/sdk/plugin.ts'
import { newId } from '../../core/src/db/types.ts'
import { discoverPlugins } from '../../core/src/kernel/discover.ts'
import { makePlace, profiles } from '../support/profiles.ts'
import { eventually, startWorld } from '../support/world.ts'

const root = resolve(import.meta.dirname, '../..')
mkdirSync(join(root, '.build'), { recursive: true })
const dir = mkdtempSync(join(root, '.build/plugins-'))
after(() => rmSync(dir, { recursive: true, force: true }))
for (const args of [['hello'], ['courier', '--channel']])
  execFileSync(process.execPath, [join(root, 'core/bin/new-plugin.ts'), ...args, '--dir', join(dir, args[0] as string)])

for (const profile of await profiles())
  test(`a generated feature and a generated channel carry text both ways [${profile}]`, async () => {
    const place = await makePlace(profile)
    const pluginsDir = join(root, 'plugins')
    const bundled = await discoverPlugins({ pluginsDir, extraPlugins: [] })
    const plugins = await discoverPlugins({ pluginsDir, extraPlugins: [join(dir, 'hello'), join(dir, 'courier')] })
    const world = await startWorld(place, plugins)
    const got: { body: string; signature: string }[] = []
    const platform = createServer((request, response) => {
      let body = ''
      request.on('data', (chunk) => {
        body += chunk
      })
      request.on('end', () => {
        got.push({ body, signature: String(request.headers['x-signature']) })
        response.end(JSON.stringify({ id: 'platform-1' }))
      })
    })
    await new Promise<void>((resolve) => platform.listen(0, '127.0.0.1', resolve))
    try {
      assert.deepEqual(
        world.hub.kernel
          .status()
          .map(({ id, state }) => `${id} ${state}`)
          .sort(),
        ['courier', 'hello', ...bundled.map(({ manifest }) => manifest?.id)].map((id) => `${id} running`).sort(),
      )
      const agent = await world.person('小沈', 'owner')
      const secret = 'shared-with-the-platform'
      const inbox = await world.inbox('courier', { secret, sendUrl: `http://127.0.0.1:${(platform.address() as { port: number }).port}/` })
      const body = JSON.stringify({ id: 'm1', from: 'rider-7', text: '包裹到了吗' })
      const sign = (text: string) => createHmac('sha256', secret).update(text).digest('hex')
      const post = (signature: string) =>
        fetch(new URL(`/api/channels/courier/${inbox.id}`, world.url), { method: 'POST', body, headers: { 'x-signature': signature } })
      assert.equal((await post(sign('something else'))).status, 401)
      assert.equal(await (await post(sign(body))).text(), 'success')

      const [conversation] = (await agent.call('GET', '/api/conversations?group=open')).body.items
      assert.equal(conversation.preview, '包裹到了吗')
      await agent.call('POST', `/api/conversations/${conversation.id}/messages`, { clientId: newId(), parts: [{ type: 'text', text: '在门卫室' }] })
      await eventually(() => got.length === 1, 'the send')
      assert.equal(JSON.parse(got[0]?.body ?? '').text, '在门卫室')
      assert.equal(got[0]?.signature, sign(got[0]?.body ?? ''))
      await eventually(async () => (await agent.call('GET', `/api/x/hello/counts/${conversation.contact.id}`)).body.messages === 1, 'the count')
      assert.equal((await (await world.person('小韩')).call('GET', `/api/x/hello/counts/${conversation.contact.id}`)).status, 403)
      // Told again, at once and by several processes: counted once.
      const { manifest, ctx } = world.hub.kernel.get('hello') as unknown as {
        manifest: PluginManifest
        ctx: PluginContext
      }
      const event = { id: newId(), name: 'message.received', at: '', by: null, data: { message: { contactId: conversation.contact.id } } }
      const listener = manifest.on?.['message.received']
      assert.ok(listener)
      await Promise.all(Array.from({ length: 3 }, () => listener(event as never, ctx)))
      assert.equal((await agent.call('GET', `/api/x/hello/counts/${conversation.contact.id}`)).body.messages, 2)
    } finally {
      platform.close()
      await world.running.stop()
      await place.remove()
    }
  })

/** The generator beside a core of its own: other tests read this repository's plugins meanwhile. */
function aloneIn(name: string) {
  const alone = join(dir, name)
  for (const part of ['core/bin/new-plugin.ts', 'core/sdk', 'core/src', 'core/package.json', 'migrations'])
    cpSync(join(root, part), join(alone, part), { recursive: true })
  const run = (...args: string[]) => spawnSync(process.execPath, [join(alone, 'core/bin/new-plugin.ts'), ...args], { cwd: alone, encoding: 'utf8' })
  return { alone, run }
}

test('without --dir it goes into plugins/, and nothing else is called that any more', () => {
  const { alone, run } = aloneIn('alone')
  for (const args of [['hello'], ['courier', '--channel']]) {
    const { status, stderr } = run(...args)
    assert.equal(status, 0, stderr)
    assert.ok(existsSync(join(alone, 'plugins', args[0] as string, 'plugin.ts')))
  }
  const elsewhere = join(alone, 'elsewhere')
  const { status, stderr } = run('hello', '--dir', elsewhere)
  assert.deepEqual([status, stderr.trim()], [1, `Another plugin is called hello: ${join(alone, 'plugins', 'hello')}`])
  assert.equal(existsSync(elsewhere), false)
})

test('what the hub would refuse, or is not understood, is not written', () => {
  const { alone, run } = aloneIn('refused')
  const word = (id: string) => `"${id}" cannot be a plugin's id: it is a word of the core's`
  const refusals: [args: string[], why: string][] = [
    ...['contact', 'message', 'agent', 'hub', 'core', 'api', 'login'].map((id): [string[], string] => [[id], word(id)]),
    [['contact', '--dir', 'out'], word('contact')],
    [['Parcel', '--dir', 'out'], `"Parcel" cannot be a plugin's id: lower-case letters and digits`],
    [['parcel', '--dir'], "'--dir <value>' argument missing"],
    [['parcel', '--dir', ''], '--dir needs a folder'],
    [['parcel', '--dir', '--channel'], "'--dir' argument is ambiguous"],
    [['parcel', '--chanel'], "Unknown option '--chanel'"],
    [['parcel', 'out'], 'npm run new:plugin -- ID'],
    [[], 'npm run new:plugin -- ID'],
  ]
  for (const [args, why] of refusals) {
    const { status, stderr } = run(...args)
    assert.equal(status, 1, args.join(' '))
    assert.ok(stderr.includes(why), `${args.join(' ')}: ${stderr}`)
  }
  assert.deepEqual(readdirSync(alone).sort(), ['core', 'migrations'])
})
