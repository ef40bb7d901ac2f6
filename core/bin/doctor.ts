/** npm run doctor: looks at everything the hub stands on and says how to mend what is wrong. Exit code 1 when something is. */
import { EnvError, readEnv } from '../src/config/env.ts'
import { checkAddress, checkPublicUrl } from '../src/doctor/check-address.ts'
import { checkDatabase } from '../src/doctor/check-database.ts'
import { checkDisk, checkNode, checkStorage } from '../src/doctor/check-machine.ts'
import { checkRedis } from '../src/doctor/check-redis.ts'
import { Findings } from '../src/doctor/findings.ts'

const findings = new Findings()
try {
  const env = readEnv(process.env)
  checkNode(findings)
  checkDisk(env, findings)
  await checkStorage(env, findings)
  await checkDatabase(env, process.argv.includes('--rebuild-reports'), findings)
  await checkRedis(env, findings)
  checkPublicUrl(env, process.env.NODE_ENV === 'production', findings)
  await checkAddress(env, findings)
} catch (error) {
  if (!(error instanceof EnvError)) throw error
  for (const fault of error.faults) findings.bad('Environment', fault, 'See core/docs/env.md.')
}
const marks = { ok: '  ok ', warn: 'warn ', bad: ' BAD ' }
for (const { what, state, detail, mend } of findings.all)
  console.log(`${marks[state]} ${what.padEnd(12)} ${detail}${mend ? `\n                   → ${mend}` : ''}`)
const faults = findings.all.filter((finding) => finding.state === 'bad').length
console.log(faults === 0 ? '\nNothing stands in the way.' : `\n${faults} ${faults === 1 ? 'thing is' : 'things are'} wrong.`)
process.exit(faults === 0 ? 0 : 1)
