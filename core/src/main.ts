/** Reads the environment, starts the hub, and ends it gently when asked to. */
import { existsSync, readdirSync } from 'node:fs'
import { constants, setPriority } from 'node:os'
import { startHub } from './app.ts'
import { EnvError, readEnv } from './config/env.ts'
import { StartFault } from './config/start-fault.ts'

/** Long enough for what is on its way to arrive, and for a balancer to hear from `/readyz` that it goes elsewhere. */
const lingerMs = 500

/**
 * A process that no browser talks to lets the webs and the database of its machine go first when there is not time for
 * all (ADR 60). Each of its threads has a priority of its own, those that Node begins later have the first one's.
 */
function stepBack(): void {
  const tasks = '/proc/self/task'
  for (const thread of existsSync(tasks) ? readdirSync(tasks) : [])
    try {
      setPriority(Number(thread), constants.priority.PRIORITY_BELOW_NORMAL)
    } catch {
      // It has ended meanwhile, or the system forbids it: it works as before.
    }
}

try {
  const env = readEnv(process.env, process.argv.slice(2))
  if (!env.roles.web) stepBack()
  const running = await startHub(env)
  const { url, hub } = running
  const login = process.argv.includes('--demo') ? await (await import('./demo/fill.ts')).fillDemo(hub) : undefined
  if (env.roles.web) {
    const lines = [
      ['Workbench', '客服工作台', `${url}/workbench`],
      ['Admin', '管理后台', `${url}/admin`],
      ['Demo shop', '演示商店', `${url}/demo`],
      ['API', '接口文档', `${url}/api/docs`],
    ]
    console.log(`\nHuike 汇客 is open.\n${lines.map(([en, zh, at]) => `  ${`${en} ${zh}`.padEnd(18)} ${at}`).join('\n')}\n`)
    if (login) console.log(`  Sign in 演示账号       ${login}\n`)
  }
  // What only the start needed, a fifth of the memory, is given back before anybody comes (ADR 49).
  globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' })
  let ending = false
  const end = (signal: string) => {
    // A terminal tells the whole group, and who started us tells us again: that is one wish.
    if (ending) return
    ending = true
    hub.log.info({ signal }, 'closing')
    // What cannot finish in time is found again as a due row.
    setTimeout(() => process.exit(1), 20_000).unref()
    void running.stop(lingerMs).then(() => process.exit(0))
  }
  // Node would print the error as it is, with whatever it quotes.
  process.once('uncaughtException', (error) => {
    hub.log.error({ err: error }, 'the hub ends: something was not caught')
    process.exit(1)
  })
  process.on('SIGTERM', () => end('SIGTERM'))
  process.on('SIGINT', () => end('SIGINT'))
} catch (error) {
  if (error instanceof EnvError || error instanceof StartFault) {
    console.error(error.message)
    process.exit(1)
  }
  throw error
}
