/** Runs a plugin's command beside a hub that runs or not: the database and the plugin's key, nothing else. */
import type { EntityManager } from '@mikro-orm/core'
import { HubError } from '../../sdk/errors.ts'
import type { Logger } from '../../sdk/plugin.ts'
import { signerOf } from './kernel.ts'
import type { LoadedPlugin } from './load.ts'

export interface CommandOptions {
  secret: string
  log: Logger
  em(): EntityManager
  print(line: string): void
}

/** Returns the exit code. Throws HUB_NOT_FOUND for a plugin or a command that is not there. */
export async function runCommand(
  loaded: readonly LoadedPlugin[],
  [id = '', name = '', ...args]: readonly string[],
  { secret, log, em, print }: CommandOptions,
): Promise<number> {
  const commands = loaded.find(({ manifest }) => manifest.id === id)?.manifest.commands ?? {}
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (!command) {
    const known = loaded.flatMap(({ manifest }) => Object.keys(manifest.commands ?? {}).map((one) => `${manifest.id} ${one}`))
    throw new HubError('HUB_NOT_FOUND', `There is no command "${id} ${name}". There ${known.length === 1 ? 'is' : 'are'}: ${known.join(', ') || 'none'}`)
  }
  return command(args, { id, em, log, print, sign: signerOf(secret, id) })
}
