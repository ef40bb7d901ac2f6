/** The core's migrations, from the top-level `migrations` folder. */
import { coreMigrations } from '../../../migrations/index.ts'
import type { History } from './migrate.ts'

export const coreHistory: History = { owner: 'core', migrations: coreMigrations }
