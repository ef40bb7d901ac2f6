import { defineEntity, p } from '@mikro-orm/core'
import type { ChannelSender, LabelledFact, LocalText } from '../../../sdk/channel.ts'
import { sealed as sealedAway } from '../../../sdk/sealed.ts'
import { idColumn, instant, json, nullableJson } from '../../db/types.ts'
import { sealed, sealedJson } from '../../sealing/sealed-columns.ts'

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
    name: sealed('contact.name', 60),
    phone: sealed('contact.phone', 40),
    email: sealed('contact.email', 190),
    wechat: sealed('contact.wechat', 60),
    qq: sealed('contact.qq', 20),
    address: sealed('contact.address', 300),
    /** What the channel calls who is no person. */
    attributes: json<{ label?: LocalText }>(),
    /** The same person as this contact, which has the identities now. */
    mergedIntoId: idColumn().nullable(),
    createdAt: instant(),
    updatedAt: instant(),
  },
  uniques: [{ properties: ['number'], name: 'contact_number_unique' }],
  indexes: [
    { properties: ['nickname'], name: 'contact_nickname' },
    { properties: ['remark'], name: 'contact_remark' },
  ],
})
export class Contact extends ContactSchema.class {}
ContactSchema.setClass(Contact)

/** What a customer's event lets us send; `reply-window.ts` counts it. */
export interface Grant {
  name: string
  /** Milliseconds since 1970. */
  until: number
  /** Messages; null = no count. */
  left: number | null
  /** When the customer gave it, by the platform's clock; absent on what is older than this field. */
  at?: number
  /** How many there were at first; absent where there is no count, and on what is older than this field. */
  count?: number
}

/** One reply, and which grant it is of: a newer one of the same name is another. What is older than this field has no `at`. */
export interface Reply {
  name: string
  at?: number
}

export interface Profile {
  name?: string
  phone?: string
  email?: string
  /** What they say of themself, beside it. */
  says?: NonNullable<ChannelSender['says']>
  /** The event's own time, in milliseconds. */
  at: number
}

const IdentitySchema = defineEntity({
  name: 'Identity',
  tableName: 'identity',
  properties: {
    id: idColumn().primary(),
    inboxId: idColumn(),
    /** What the channel calls them; where that is personal, a keyed hash of it (see external-id.ts). */
    externalId: p.string().length(190),
    /** What is hashed; else empty. */
    sealedId: sealedAway('identity.sealed_id', 190),
    contactId: idColumn(),
    /** The platform or the site vouches for it. */
    verified: p.boolean().default(false),
    attributes: json<Record<string, unknown>>(),
    /** What the channel last said of the person, and when. */
    profile: sealedJson<Profile>('identity.profile').nullable(),
    facts: nullableJson<LabelledFact[]>(),
    /** Where they came from when their last conversation began; blocking them shuts it. Personal, and looked for by nobody. */
    address: sealed('identity.address', 45),
    blockedAt: instant().nullable(),
    blockedById: idColumn().nullable(),
    /** What we may send, where the platform lets us write only as an answer (see reply-window.ts). */
    grants: nullableJson<Grant[]>(),
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

/** Addresses refused at the door, once for each identity they were blocked with. */
const BlockedAddressSchema = defineEntity({
  name: 'BlockedAddress',
  tableName: 'blocked_address',
  properties: {
    inboxId: idColumn().primary(),
    address: p.string().length(45).primary(),
    identityId: idColumn().primary(),
    createdAt: instant(),
  },
  indexes: [{ properties: ['identityId'], name: 'blocked_address_identity' }],
})
export class BlockedAddress extends BlockedAddressSchema.class {}
BlockedAddressSchema.setClass(BlockedAddress)

/** What a customer did that is no message: followed, scanned, tapped. */
const ActivitySchema = defineEntity({
  name: 'Activity',
  tableName: 'activity',
  properties: {
    id: idColumn().primary(),
    inboxId: idColumn(),
    externalId: p.string().length(190),
    contactId: idColumn(),
    identityId: idColumn(),
    name: p.string().length(60),
    label: json<LocalText>(),
    params: json<Record<string, unknown>>(),
    details: nullableJson<LabelledFact[]>(),
    /** By the platform's clock. */
    at: instant(),
    createdAt: instant(),
  },
  uniques: [{ properties: ['inboxId', 'externalId'], name: 'activity_external_unique' }],
  indexes: [
    { properties: ['contactId', 'at', 'id'], name: 'activity_contact' },
    { properties: ['identityId'], name: 'activity_identity' },
  ],
})
export class Activity extends ActivitySchema.class {}
ActivitySchema.setClass(Activity)

export type ClaimKind = NonNullable<ChannelSender['claims']>[number]['kind']

/** Names of a person that reach beyond one inbox, as an identity brought them. */
const IdentityClaimSchema = defineEntity({
  name: 'IdentityClaim',
  tableName: 'identity_claim',
  properties: {
    identityId: idColumn().primary(),
    kind: p.string().length(20).$type<ClaimKind>().primary(),
    /** Normalised: equal people have equal values. */
    value: p.string().length(190).primary(),
    verified: p.boolean(),
    createdAt: instant(),
  },
  indexes: [{ properties: ['kind', 'value'], name: 'identity_claim_value' }],
})
export class IdentityClaim extends IdentityClaimSchema.class {}
IdentityClaimSchema.setClass(IdentityClaim)

/** Whose a verified name is: unique, so that two processes that meet one person at once make one contact. No contact: contested (see sole-names.ts). */
const ContactClaimSchema = defineEntity({
  name: 'ContactClaim',
  tableName: 'contact_claim',
  properties: {
    kind: p.string().length(20).$type<ClaimKind>().primary(),
    value: p.string().length(190).primary(),
    /** What a name counts within of which one person has one there; else empty. */
    subject: p.string().length(60).default(''),
    contactId: idColumn(),
    createdAt: instant(),
  },
  indexes: [{ properties: ['contactId'], name: 'contact_claim_contact' }],
})
export class ContactClaim extends ContactClaimSchema.class {}
ContactClaimSchema.setClass(ContactClaim)

/** Who had a hand in a field of a contact; of a field that a plugin brings, its value too. */
const ContactFieldSchema = defineEntity({
  name: 'ContactField',
  tableName: 'contact_field',
  properties: {
    contactId: idColumn().primary(),
    /** `phone`, or `<plugin>.<name>`. */
    field: p.string().length(60).primary(),
    /** Empty for the core's own: that stands in the contact. */
    value: p.string().length(300).default(''),
    /** The plugin that filled it; empty: a person. */
    source: p.string().length(40),
    byAgentId: idColumn().nullable(),
    /** The message it was found in. */
    messageId: idColumn().nullable(),
    updatedAt: instant(),
  },
  indexes: [
    { properties: ['field', 'value'], name: 'contact_field_value' },
    { properties: ['messageId'], name: 'contact_field_message' },
  ],
})
export class ContactField extends ContactFieldSchema.class {}
ContactFieldSchema.setClass(ContactField)

/** Where one of the two has it from: what a channel said of them, what a plugin found, what an agent entered. */
export interface Origin {
  contactId: string
  by: 'channel' | 'plugin' | 'agent'
  inboxId?: string
  plugin?: string
  agentId?: string
  messageId?: string
}

export interface Evidence {
  kind: ClaimKind | AccountField
  value: string
  /** Vouched for on both sides. */
  verified: boolean
  origins?: Origin[]
}
/** Fields of a contact that name a person and that no channel claims. */
export type AccountField = 'wechat' | 'qq'

/** Two contacts that may be one person; the older one stands first. */
const MergeSuggestionSchema = defineEntity({
  name: 'MergeSuggestion',
  tableName: 'merge_suggestion',
  properties: {
    id: idColumn().primary(),
    contactId: idColumn(),
    otherId: idColumn(),
    evidence: sealedJson<Evidence[]>('merge_suggestion.evidence'),
    state: p.string().length(10).$type<'open' | 'accepted' | 'refused'>(),
    decidedById: idColumn().nullable(),
    decidedAt: instant().nullable(),
    /** Verified on both sides: merged by itself when this is due. */
    dueAt: instant().nullable(),
    createdAt: instant(),
  },
  uniques: [{ properties: ['contactId', 'otherId'], name: 'merge_suggestion_unique' }],
  indexes: [
    { properties: ['otherId'], name: 'merge_suggestion_other' },
    { properties: ['dueAt'], name: 'merge_suggestion_due' },
  ],
})
export class MergeSuggestion extends MergeSuggestionSchema.class {}
MergeSuggestionSchema.setClass(MergeSuggestion)

/** What a merge or a split moved, so that it can be undone. */
const ContactMoveSchema = defineEntity({
  name: 'ContactMove',
  tableName: 'contact_move',
  properties: {
    id: idColumn().primary(),
    kind: p.string().length(10).$type<'merge' | 'split'>(),
    fromId: idColumn(),
    intoId: idColumn(),
    identityIds: json<string[]>(),
    /** Fields and tags that `into` got from `from`: taken back with it. */
    given: sealedJson<{ fields: Record<string, string>; tagIds: string[] }>('contact_move.given'),
    byAgentId: idColumn().nullable(),
    undoneById: idColumn().nullable(),
    undoneAt: instant().nullable(),
    /** A conversation opened while it ran may point at the old contact: looked at once more then. */
    recheckAt: instant().nullable(),
    createdAt: instant(),
  },
  indexes: [
    { properties: ['intoId', 'createdAt'], name: 'contact_move_into' },
    { properties: ['fromId', 'createdAt'], name: 'contact_move_from' },
    { properties: ['recheckAt'], name: 'contact_move_recheck' },
  ],
})
export class ContactMove extends ContactMoveSchema.class {}
ContactMoveSchema.setClass(ContactMove)

/** What somebody was called on a channel before it was known who they are: it leads nobody to what they say since. */
const FormerNameSchema = defineEntity({
  name: 'FormerName',
  tableName: 'former_name',
  properties: {
    id: idColumn().primary(),
    inboxId: idColumn(),
    /** As the identity's was written down. */
    externalId: p.string().length(190),
    /** Who they are. */
    identityId: idColumn(),
    /** The identity that had the name, where that is not the same one. */
    fromId: idColumn().nullable(),
    /** Conversations that came over from it; they go back when the merge is undone. */
    conversationIds: json<string[]>(),
    /** A conversation opened while they came over may have stayed behind: looked at once more then. */
    recheckAt: instant().nullable(),
    createdAt: instant(),
  },
  uniques: [{ properties: ['inboxId', 'externalId'], name: 'former_name_unique' }],
  indexes: [
    { properties: ['fromId'], name: 'former_name_from' },
    { properties: ['recheckAt'], name: 'former_name_recheck' },
  ],
})
export class FormerName extends FormerNameSchema.class {}
FormerNameSchema.setClass(FormerName)

export const contactEntities = [
  ContactSchema,
  IdentitySchema,
  BlockedAddressSchema,
  ActivitySchema,
  IdentityClaimSchema,
  ContactClaimSchema,
  MergeSuggestionSchema,
  ContactMoveSchema,
  ContactFieldSchema,
  FormerNameSchema,
]
