/** The only way visits become JSON. */
import { subject } from '@casl/ability'
import type { Visit as WireVisit } from '../../../sdk/wire/contact.ts'
import type { HubAbility } from '../../access/ability.ts'
import { maskDeep, maskText } from '../../access/mask-text.ts'
import { type ContactNames, contactTitle } from '../conversation/conversation.present.ts'
import type { Visit } from './visit.entity.ts'

/** Without a sign of life for this long, the visitor has left. */
export const visitTtlMs = 90_000

/** Whoever may see no conversation of the contact sees somebody unknown: without one, nothing of the row leads to them. */
export function presentVisit(ability: HubAbility, visit: Visit, contact: ContactNames | undefined): WireVisit {
  return {
    id: visit.id,
    inboxId: visit.inboxId,
    contactId: contact?.id ?? null,
    identityId: contact ? (visit.identityId ?? null) : null,
    title: contact ? contactTitle(ability, contact) : '',
    ip: visit.ip,
    device: deviceOf(visit.userAgent),
    referrer: maskText(ability, visit.referrer),
    pages: maskDeep(ability, visit.pages),
    startedAt: visit.startedAt.toISOString(),
    seenAt: visit.seenAt.toISOString(),
    spokeAt: visit.spokeAt?.toISOString() ?? null,
    online: Date.now() - visit.seenAt.getTime() < visitTtlMs,
  }
}

/** Where somebody came from when they first came, for who may see visits there: the page that led here, and the one they landed on. */
export const presentFirstVisit = (ability: HubAbility, visit: Visit | undefined) =>
  visit && ability.can('read', subject('visitor', { ...visit }) as unknown as 'visitor')
    ? { referrer: maskText(ability, visit.referrer), landing: maskDeep(ability, visit.pages[0] ?? null) }
    : null

/** "Chrome · Windows", enough for a glance. */
export function deviceOf(userAgent: string): string {
  const browser =
    [
      [/MicroMessenger/i, 'WeChat'],
      [/Edg\//, 'Edge'],
      [/OPR\//, 'Opera'],
      [/Firefox\//, 'Firefox'],
      [/Chrome\//, 'Chrome'],
      [/Safari\//, 'Safari'],
    ].find(([pattern]) => (pattern as RegExp).test(userAgent))?.[1] ?? ''
  const system =
    [
      [/iPhone|iPad/, 'iOS'],
      [/Android/, 'Android'],
      [/Windows/, 'Windows'],
      [/Mac OS X/, 'macOS'],
      [/Linux/, 'Linux'],
    ].find(([pattern]) => (pattern as RegExp).test(userAgent))?.[1] ?? ''
  return [browser, system].filter(Boolean).join(' · ')
}
