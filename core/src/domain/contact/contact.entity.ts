import { defineEntity, p } from '@mikro-orm/core'
import { idColumn, instant, json } from '../../db/types.ts'

const ContactSchema = defineEntity({
  name: 'Contact',
  tableName: 'contact',
  properties: {
    id: idColumn().primary(),
    /** The automatic nickname: a number that never repeats. */
    number: p.integer(),
    /** What an agent called them; empty = the number. */
    nickname: p.string().length(60).default(''),
    remark: p.string().length(500).default(''),
    /** Personal data: masked for those who may not see it. */
    name: p.string().length(60).default(''),
    phone: p.string().length(40).default(''),
    email: p.string().length(190).default(''),
    attributes: json<Record<string, unknown>>(),
    createdAt: instant(),
    updatedAt: instant(),
  },
  uniques: [{ properties: ['number'], name: 'contact_number_unique' }],
})
export class Contact extends ContactSchema.class {}
ContactSchema.setClass(Contact)

const IdentitySchema = defineEntity({
  name: 'Identity',
  tableName: 'identity',
  properties: {
    id: idColumn().primary(),
    inboxId: idColumn(),
    externalId: p.string().length(190),
    contactId: idColumn(),
    /** The platform or the site vouches for it. */
    verified: p.boolean().default(false),
    attributes: json<Record<string, unknown>>(),
    blockedAt: instant().nullable(),
    blockedById: idColumn().nullable(),
    createdAt: instant(),
  },
  uniques: [{ properties: ['inboxId', 'externalId'], name: 'identity_external_unique' }],
  indexes: [
    { properties: ['contactId'], name: 'identity_contact' },
    { properties: ['inboxId', 'blockedAt'], name: 'identity_blocked' },
  ],
})
export class Identity extends IdentitySchema.class {}
IdentitySchema.setClass(Identity)

/** Addresses refused at the door, with the identity they were blocked with. */
const BlockedAddressSchema = defineEntity({
  name: 'BlockedAddress',
  tableName: 'blocked_address',
  properties: {
    inboxId: idColumn().primary(),
    address: p.string().length(45).primary(),
    identityId: idColumn(),
    createdAt: instant(),
  },
  indexes: [{ properties: ['identityId'], name: 'blocked_address_identity' }],
})
export class BlockedAddress extends BlockedAddressSchema.class {}
BlockedAddressSchema.setClass(BlockedAddress)

export const contactEntities = [ContactSchema, IdentitySchema, BlockedAddressSchema]
