import { defineEntity, p } from '@mikro-orm/core'
import { idColumn, instant, json } from '../../db/types.ts'

/** One stay of a browser on a site. */
const VisitSchema = defineEntity({
  name: 'Visit',
  tableName: 'visit',
  properties: {
    id: idColumn().primary(),
    inboxId: idColumn(),
    /** Set once the visitor speaks or is known again. */
    identityId: idColumn().nullable(),
    contactId: idColumn().nullable(),
    ip: p.string().length(45),
    userAgent: p.string().length(255),
    referrer: p.string().length(500).default(''),
    pages: json<{ url: string; title: string; at: string }[]>(),
    pageCount: p.integer().default(0),
    startedAt: instant(),
    /** Last sign of life; the visit is over when it is older than a minute and a half. */
    seenAt: instant(),
    spokeAt: instant().nullable(),
  },
  indexes: [
    { properties: ['seenAt'], name: 'visit_seen' },
    { properties: ['identityId', 'startedAt'], name: 'visit_identity' },
    { properties: ['contactId', 'startedAt'], name: 'visit_contact' },
  ],
})
export class Visit extends VisitSchema.class {}
VisitSchema.setClass(Visit)

export const visitEntities = [VisitSchema]
