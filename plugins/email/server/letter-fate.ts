/**
 * Who has a letter of ours and who has not. A send that is on its way and a report that comes meanwhile both have a say:
 * each changes only what it knows, under the row's lock, so that neither undoes the other.
 */
import { type EntityManager, LockMode } from '@mikro-orm/core'
import { LetterRow } from './letter.entity.ts'

export interface Fate {
  /** Whose server took it, and sent no report since. */
  delivered: Set<string>
  /** Who will not get it, and why: refused at once, or it came back. */
  refused: Map<string, string>
}

export const fateOf = (row: Pick<LetterRow, 'delivered' | 'refused'> | undefined): Fate => ({
  delivered: new Set(row?.delivered?.split(' ').filter(Boolean)),
  refused: new Map(row?.refused ? Object.entries(JSON.parse(row.refused) as Record<string, string>) : []),
})

/** `change` alters the fate it is given, may move the row's `round` on, and returns the letter's state; undefined leaves that as it is. */
export async function changeFate(em: EntityManager, id: string, change: (fate: Fate, row: LetterRow) => LetterRow['state'] | undefined): Promise<Fate> {
  return em.transactional(async (tx) => {
    const row = await tx.findOneOrFail(LetterRow, { id }, { lockMode: LockMode.PESSIMISTIC_WRITE, disableIdentityMap: true })
    const fate = fateOf(row)
    const state = change(fate, row) ?? row.state
    const { delivered, refused } = fate
    await tx.nativeUpdate(
      LetterRow,
      { id },
      {
        state,
        round: row.round,
        delivered: [...delivered].join(' ') || null,
        refused: refused.size > 0 ? JSON.stringify(Object.fromEntries(refused)) : null,
      },
    )
    return fate
  })
}

/**
 * It came back from `address`. Said of nobody, or of an address that we did not write to (a list, a forwarded mailbox), it
 * may be any of them: then nobody can be taken to have it. The same again changes nothing. While the letter is being handed
 * over nothing is known of its recipients yet: a report may be faster than the answer to that.
 */
export function noteReturn({ delivered, refused }: Fate, { state }: Pick<LetterRow, 'state'>, address: string | undefined, said: string): void {
  const [only] = delivered.size === 1 && refused.size === 0 ? delivered : []
  const known = address !== undefined && (delivered.has(address) || refused.has(address) || state === 'sending')
  const who = known ? address : only
  if (who) {
    delivered.delete(who)
    if (!refused.has(who)) refused.set(who, said)
  } else if (refused.size === 0 || address) delivered.clear()
}
