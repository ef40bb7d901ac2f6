/** Fields of contacts: who may write which, and that a person's hand is never overwritten. */
import { LockMode, UniqueConstraintViolationException } from '@mikro-orm/core'
import type { ContactFieldDeclaration, ContactHand } from '../../../sdk/contacts.ts'
import { HubError } from '../../../sdk/errors.ts'
import type { HubEventName, HubEvents } from '../../../sdk/events.ts'
import type { ContactField as OwnField } from '../../access/mask.ts'
import { contactFields } from '../../access/permissions.ts'
import type { Em } from '../../db/orm.ts'
import { retryOnConflict } from '../../db/retry.ts'
import { newId } from '../../db/types.ts'
import type { Hub } from '../../hub.ts'
import { writeEvents } from '../conversation/change.ts'
import { hubLanguage } from '../setting/hub-language.ts'
import { ContactTag, Tag } from '../tag/tag.entity.ts'
import { Contact, ContactField } from './contact.entity.ts'
import { matchFields } from './match-fields.ts'
import { survivorOf } from './survivor.ts'

/** As long as the columns are. */
const lengths: Record<OwnField, number> = { name: 60, phone: 40, email: 190, wechat: 60, qq: 20, address: 300 }
const longestValue = 300

const isCore = (field: string): field is OwnField => (contactFields as readonly string[]).includes(field)

export interface DeclaredField extends ContactFieldDeclaration {
  /** With the plugin's id in front. */
  fullName: string
}

/** What the running plugins bring. */
export const declaredFields = (hub: Pick<Hub, 'kernel'>): DeclaredField[] =>
  hub.kernel.running().flatMap(({ manifest }) => (manifest.contactFields ?? []).map((field) => ({ ...field, fullName: `${manifest.id}.${field.name}` })))

export function contactHand(hub: Hub, plugin: string): ContactHand {
  /** The core's name of a field as the plugin says it. Throws HUB_REQUEST_INVALID for one that is not its own. */
  const nameOf = (field: string): string => {
    if (isCore(field)) return field
    const own = hub.kernel
      .all()
      .find(({ manifest }) => manifest.id === plugin)
      ?.manifest.contactFields?.some(({ name }) => name === field)
    if (!own) throw new HubError('HUB_REQUEST_INVALID', `${plugin} declares no contact field ${field}`)
    return `${plugin}.${field}`
  }
  return {
    async fill(contactId, field, value, from = {}) {
      const name = nameOf(field)
      const { result } = await change(hub, contactId, async (em, contact) => {
        const row = await em.findOne(ContactField, { contactId: contact.id, field: name }, { disableIdentityMap: true })
        const current = isCore(name) ? contact[name] : (row?.value ?? '')
        if (current === cut(name, value) && row?.source === plugin) return { result: 'filled' as const, events: [] }
        if (current !== '' || row?.source === '') return { result: 'kept' as const, events: [] }
        await put(em, contact.id, name, value, { ...from, source: plugin, byAgentId: null })
        return { result: 'filled' as const, events: [updated(contact.id, name, null)], alike: await matchFields(em, contact.id, [name]) }
      })
      return result ?? 'kept'
    },
    async write(contactId, field, value, { byAgentId, instead, ...from }) {
      const name = nameOf(field)
      const { result } = await change(hub, contactId, async (em, contact) => {
        const row = isCore(name) ? null : await em.findOne(ContactField, { contactId: contact.id, field: name }, { disableIdentityMap: true })
        const before = isCore(name) ? contact[name] : (row?.value ?? '')
        if (instead !== undefined && before !== instead) return { result: { written: false, before }, events: [] }
        await put(em, contact.id, name, value, { ...from, source: '', byAgentId })
        return { result: { written: true, before }, events: [updated(contact.id, name, byAgentId)], alike: await matchFields(em, contact.id, [name]) }
      })
      if (!result) throw new HubError('HUB_NOT_FOUND', 'There is no such contact')
      return result
    },
    async read(contactId, fields) {
      const em = hub.em()
      const id = await survivorOf(em, contactId)
      const contact = await em.findOne(Contact, { id }, { disableIdentityMap: true })
      if (!contact) throw new HubError('HUB_NOT_FOUND', 'There is no such contact')
      const names = fields.map((field) => [field, nameOf(field)] as const)
      const own = names.flatMap(([, name]) => (isCore(name) ? [] : [name]))
      const rows = own.length > 0 ? await em.find(ContactField, { contactId: id, field: { $in: own } }, { disableIdentityMap: true }) : []
      const held = (name: string) => (isCore(name) ? contact[name] : (rows.find(({ field }) => field === name)?.value ?? ''))
      return Object.fromEntries(names.map(([field, name]) => [field, held(name)])) as Record<(typeof fields)[number], string>
    },
    async tag(contactId, words) {
      const name = typeof words === 'string' ? words : words[await hubLanguage(hub.em())]
      const tagId = await tagNamed(hub, name)
      const { result } = await change(hub, contactId, async (em, contact) => {
        if ((await em.count(ContactTag, { contactId: contact.id, tagId })) > 0) return { result: false, events: [] }
        await em.insert(ContactTag, { contactId: contact.id, tagId, byAgentId: null, createdAt: new Date() })
        return { result: true, events: [{ name: 'contact.tagged' as const, data: { contactId: contact.id, byAgentId: null, tagId, added: true } }] }
      })
      return result ?? false
    },
  }
}

const updated = (contactId: string, field: string, byAgentId: string | null) => ({
  name: 'contact.updated' as const,
  data: { contactId, byAgentId, fields: [field] },
})
const cut = (field: string, value: string): string => value.trim().slice(0, isCore(field) ? lengths[field] : longestValue)

/** Notes that a person had a hand in these of the core's fields, and offers who has the same in them: those contacts are returned. */
export async function notePerson(em: Em, contactId: string, fields: readonly string[], byAgentId: string): Promise<string[]> {
  const now = new Date()
  for (const field of fields.filter(isCore))
    await em.upsert(ContactField, { contactId, field, value: '', source: '', byAgentId, messageId: null, updatedAt: now })
  return matchFields(em, contactId, fields)
}

/** A person's value for a field that a plugin brings. */
export async function writeDeclared(em: Em, contactId: string, field: string, value: string, byAgentId: string): Promise<void> {
  await put(em, contactId, field, value, { source: '', byAgentId })
}

/** Whose doing a value is, and the message it was found in. */
type Hand = Pick<ContactField, 'source' | 'byAgentId'> & { messageId?: string }

async function put(em: Em, contactId: string, field: string, value: string, { messageId, ...by }: Hand): Promise<void> {
  const now = new Date()
  const written = cut(field, value)
  if (isCore(field)) await em.nativeUpdate(Contact, { id: contactId }, { [field]: written, updatedAt: now })
  await em.upsert(ContactField, { contactId, field, value: isCore(field) ? '' : written, ...by, messageId: messageId ?? null, updatedAt: now })
}

/** One transaction with the contact locked, its events, and everybody who shows it. `result` undefined: there is no such contact. */
async function change<T>(
  hub: Hub,
  asked: string,
  work: (em: Em, contact: Contact) => Promise<{ result: T; events: { name: HubEventName; data: HubEvents[HubEventName] }[]; alike?: string[] }>,
): Promise<{ result: T | undefined }> {
  let listeners = new Set<string>()
  let changed: string[] = []
  const result = await retryOnConflict(() =>
    hub.em().transactional(async (tx) => {
      const em = tx as Em
      changed = []
      const id = await survivorOf(em, asked)
      const contact = await em.findOne(Contact, { id }, { lockMode: LockMode.PESSIMISTIC_WRITE, disableIdentityMap: true })
      if (!contact) return undefined
      const { result, events, alike = [] } = await work(em, contact)
      if (events.length > 0) changed = [id, ...alike]
      listeners = await writeEvents(hub, em, events)
      return result
    }),
  )
  for (const listener of listeners) hub.queue.hurry('delivery', listener)
  for (const contactId of changed) hub.bus.publish('contact.changed', { contactId })
  return { result }
}

async function tagNamed(hub: Hub, asked: string): Promise<string> {
  const name = asked.trim().slice(0, 30)
  const em = hub.em()
  const known = await em.findOne(Tag, { name }, { disableIdentityMap: true })
  if (known) return known.id
  try {
    const tag = { id: newId(), name, system: true, createdAt: new Date() }
    await em.insert(Tag, tag)
    return tag.id
  } catch (error) {
    // Another process made it just now.
    const made = error instanceof UniqueConstraintViolationException && (await hub.em().findOne(Tag, { name }, { disableIdentityMap: true }))
    if (made) return made.id
    throw error
  }
}
