/** The core's history, oldest first. */
import type { Migration } from '../core/sdk/plugin.ts'
import { spine } from './0001-spine.ts'
import { assignmentRule } from './0013-assignment-rule.ts'

export const coreMigrations: readonly Migration[] = [spine, assignmentRule]
