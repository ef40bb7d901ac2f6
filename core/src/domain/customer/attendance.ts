/** Is somebody there who would answer, asked for at every visitor's session: kept for a second per inbox. */
import { Kept } from '../../db/kept.ts'
import type { Hub } from '../../hub.ts'
import { isAttended } from '../conversation/assign-conversation.ts'

const ttlMs = 1_000

export const attendanceOf = (hub: Hub): Kept<boolean> =>
  new Kept(ttlMs, async (inboxId) => {
    const inbox = await hub.intake.inbox(inboxId)
    return inbox?.enabled ? isAttended(hub, { inboxId, departmentId: inbox.departmentId, skillGroupId: inbox.skillGroupId }) : false
  })
