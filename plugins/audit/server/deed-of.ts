/** What an event says about who did what to what. Undefined for what nobody did by hand. */
import type { HubEvent } from '@huike/core/sdk/events.ts'
import type { Deed } from './chain.ts'

type Data = Record<string, unknown>

/** Told of even when no agent's request caused them. */
const always = new Set(['agent.loginFailed', 'record.purged', 'record.stripped', 'retention.started', 'retention.ran', 'event.givenUp'])
const text = (value: unknown): string => (typeof value === 'string' ? value : '')
const texts = (value: unknown): string[] => (Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [])

/** Who failed to sign in is not who the account belongs to: the account is what it is about. */
export function deedOf(event: HubEvent): Deed | undefined {
  const name: string = event.name
  const data = event.data as Data
  const own = /^(agent\.logged|account\.)/.test(name) ? text(data.agentId) : ''
  const agentId = event.by?.agentId ?? (text(data.byAgentId) || own || null)
  if (agentId === null && !always.has(name) && name.split('.')[0] !== 'plugin' && isCore(name)) return undefined
  const conversationIds = [...texts(data.conversationIds), text(data.conversationId)].filter((id) => id.length === 26)
  return {
    eventId: event.id,
    event: name,
    at: new Date(event.at),
    agentId: agentId || null,
    tokenId: event.by?.tokenId ?? null,
    ip: (event.by?.ip ?? text(data.ip)).slice(0, 60),
    ...subjectOf(name, data, agentId),
    count: countOf(data),
    // Whole characters: half of one is another thing once it is stored.
    reason: [...text(data.reason)].slice(0, 200).join(''),
    details: detailsOf(name, data),
    conversationIds,
  }
}

const coreNouns = new Set([
  'message',
  'conversation',
  'record',
  'file',
  'contact',
  'visitor',
  'agent',
  'role',
  'token',
  'preview',
  'account',
  'inbox',
  'settings',
  'retention',
  'event',
])
const isCore = (name: string): boolean => coreNouns.has(name.split('.')[0] ?? '')

function subjectOf(name: string, data: Data, agentId: string | null): Pick<Deed, 'subjectKind' | 'subjectId'> {
  const of = (subjectKind: string, id: unknown) => ({ subjectKind, subjectId: text(id).slice(0, 80) })
  // Of a message, too, it is the customer of whom something was shown.
  if (data.conversationId && name !== 'contact.revealed') return of('record', data.conversationId)
  if (data.contactId) return of('contact', data.contactId)
  if (name.startsWith('contact.')) return of('contact', data.intoId)
  if (data.tokenId) return of('token', data.tokenId)
  if (data.roleId) return of('role', data.roleId)
  if (data.pluginId) return of('plugin', data.pluginId)
  if (name === 'event.givenUp') return of('plugin', data.listener)
  if (name === 'settings.changed') return of('setting', data.scope)
  if (data.agentId && (data.agentId !== agentId || name === 'agent.changed')) return of('agent', data.agentId)
  return of('', '')
}

function countOf(data: Data): number | null {
  for (const value of [data.counted, data.shown, data.count, data.rows]) if (typeof value === 'number' && Number.isFinite(value)) return Math.trunc(value)
  const lists = [data.fileIds, data.conversationIds].filter(Array.isArray)
  return lists[0]?.length ?? null
}

/** What stands in a column of its own is not said twice, and what customers said is not kept here. */
const inColumns = new Set(['byAgentId', 'ip', 'reason', 'conversationId', 'conversation', 'message'])
function detailsOf(name: string, data: Data): Data {
  const rest = Object.fromEntries(Object.entries(data).filter(([field]) => !inColumns.has(field)))
  if (name === 'record.summarised') return { fields: rest.changed ?? [] }
  // It is about the customer, and stands in the record's log as well.
  if (name === 'contact.revealed' && data.conversationId) return { ...rest, conversationId: data.conversationId }
  return rest
}
