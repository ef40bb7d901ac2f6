/** The core's history, oldest first. */
import type { Migration } from '../core/sdk/plugin.ts'
import { spine } from './0001-spine.ts'
import { tokenAddress } from './0010-token-address.ts'
import { rolePreview } from './0011-role-preview.ts'
import { totpStep } from './0012-totp-step.ts'
import { recoveryCode } from './0013-recovery-code.ts'

export const coreMigrations: readonly Migration[] = [spine, tokenAddress, rolePreview, totpStep, recoveryCode]
