/** `commands`: for operators, with the database and the plugin's own key, without a running hub. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { definePlugin } from '../../core/sdk/plugin.ts'
import { runCommand } from '../../core/src/kernel/run-command.ts'
import { found, onEveryProfile, silent } from '../support/world.ts'

const seal = definePlugin({
  id: 'seal',
  version: '1.0.0',
  label: { zh: '印章', en: 'Seal' },
  commands: {
    async stamp([text = ''], ctx) {
      const [row] = (await ctx.em().getConnection().execute('select count(*) as n from role')) as { n: number }[]
      ctx.print(`${ctx.id} ${ctx.sign(text)} ${Number(row?.n) > 0}`)
      return text === '' ? 1 : 0
    },
  },
})

await onEveryProfile('commands', [found(seal)], (world) => {
  const run = async (...args: string[]) => {
    const lines: string[] = []
    const { hub } = world()
    const code = await runCommand(hub.kernel.all(), args, { secret: hub.secret, log: silent, em: hub.em, print: (line) => void lines.push(line) })
    return { code, lines }
  }

  test('it reads the database and signs as the running plugin does', async () => {
    const plugin = world().hub.kernel.get('seal')
    assert.ok(plugin)
    assert.deepEqual(await run('seal', 'stamp', '契'), { code: 0, lines: [`seal ${plugin.ctx.sign('契')} true`] })
    assert.equal((await run('seal', 'stamp')).code, 1)
  })

  test('one that is not there is refused by name, and says which there are', async () => {
    for (const args of [[], ['seal'], ['seal', 'toString'], ['nobody', 'stamp']])
      await assert.rejects(run(...args), { code: 'HUB_NOT_FOUND', message: /seal stamp/ })
  })
})
