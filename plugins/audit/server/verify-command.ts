/** `npm run audit:verify [-- 42:hash …]`: prints what it found; 0 when every entry is as it was written, else 1. */
import type { CommandContext } from '@huike/core/sdk/plugin.ts'
import { readCheckpoint, verify } from './verify.ts'

export async function verifyCommand(args: readonly string[], ctx: CommandContext): Promise<number> {
  const kept = args.map(readCheckpoint)
  const wrong = kept.indexOf(undefined)
  if (wrong !== -1) {
    ctx.print(`"${args[wrong]}" is no checkpoint: number, colon, hash`)
    return 2
  }
  const { entries, head, fault } = await verify(
    ctx,
    kept.flatMap((point) => (point ? [point] : [])),
  )
  if (fault) {
    ctx.print(`BROKEN at entry ${fault.seq} (${fault.what}): ${fault.text}. ${entries} entries before it are as they were written.`)
    return 1
  }
  ctx.print(`${entries} entries, each as it was written.`)
  ctx.print(`Checkpoint, to be kept outside of this database: ${head.seq}:${head.hash}`)
  return 0
}
