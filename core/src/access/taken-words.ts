/** Words that no plugin may be called: its tables, permissions and events would be taken for the core's. */
import { coreHistory } from '../db/history.ts'
import { corePermissions } from './permissions.ts'

const ofEvents = [
  'account',
  'agent',
  'contact',
  'conversation',
  'event',
  'file',
  'inbox',
  'message',
  'plugin',
  'preview',
  'record',
  'retention',
  'role',
  'settings',
  'token',
]
const ofHooks = ['inbound', 'outbound']
const ofTables = coreHistory.migrations.flatMap(({ sqlite }) => sqlite.flatMap((statement) => statement.match(/^create table `([a-z]+)/)?.[1] ?? []))

export const takenWords: ReadonlySet<string> = new Set([
  'core',
  'all',
  ...ofTables,
  ...corePermissions.map(({ name }) => name.split('.')[0] ?? ''),
  ...ofEvents,
  ...ofHooks,
])
