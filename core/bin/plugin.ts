/** npm run plugin -- <id> <command> [argument …]: runs a command that a plugin brings. Without one it lists them. */
import { pino } from 'pino'
import { HubError } from '../sdk/errors.ts'
import { takenWords } from '../src/access/taken-words.ts'
import { prepareData } from '../src/app.ts'
import { EnvError, readEnv } from '../src/config/env.ts'
import { StartFault } from '../src/config/start-fault.ts'
import { openOrm } from '../src/db/open-orm.ts'
import { discoverPlugins } from '../src/kernel/discover.ts'
import { loadOrder } from '../src/kernel/load.ts'
import { runCommand } from '../src/kernel/run-command.ts'

try {
  const env = readEnv(process.env)
  const secret = prepareData(env)
  const { loaded } = loadOrder(await discoverPlugins(env), takenWords)
  const orm = await openOrm(
    env,
    loaded.flatMap(({ manifest }) => manifest.entities ?? []),
  )
  try {
    process.exitCode = await runCommand(loaded, process.argv.slice(2), {
      secret,
      log: pino({ level: 'warn' }),
      em: () => orm.em.fork(),
      print: (line) => console.log(line),
    })
  } finally {
    await orm.close()
  }
} catch (error) {
  if (!(error instanceof EnvError || error instanceof StartFault || error instanceof HubError)) throw error
  console.error(error.message)
  process.exitCode = 2
}
