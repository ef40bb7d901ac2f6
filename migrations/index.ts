/** The core's history, oldest first. */
import type { Migration } from '../core/sdk/plugin.ts'
import { spine } from './0001-spine.ts'
import { letters } from './0002-letters.ts'
import { sendProgress } from './0003-send-progress.ts'
import { replyWindow } from './0004-reply-window.ts'
import { remoteFiles } from './0005-remote-files.ts'
import { activities } from './0006-activities.ts'
import { inboxHealth } from './0007-inbox-health.ts'
import { onePerson } from './0008-one-person.ts'
import { claimedEvents } from './0009-claimed-events.ts'
import { tokenAddress } from './0010-token-address.ts'
import { rolePreview } from './0011-role-preview.ts'
import { totpStep } from './0012-totp-step.ts'
import { assignmentRule } from './0013-assignment-rule.ts'
import { recoveryCode } from './0014-recovery-code.ts'

export const coreMigrations: readonly Migration[] = [
  spine,
  letters,
  sendProgress,
  replyWindow,
  remoteFiles,
  activities,
  inboxHealth,
  onePerson,
  claimedEvents,
  tokenAddress,
  rolePreview,
  totpStep,
  assignmentRule,
  recoveryCode,
]
