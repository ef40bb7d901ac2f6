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

export const coreMigrations: readonly Migration[] = [spine, letters, sendProgress, replyWindow, remoteFiles, activities, inboxHealth, onePerson]
