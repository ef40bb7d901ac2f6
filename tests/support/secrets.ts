/** Roles of any reach, conversations full of what not everybody may see, and who has said what: for the tests that nothing leaks. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import sharp from 'sharp'
import type { Grant } from '../../core/sdk/wire/role.ts'
import { personalFields } from '../../core/src/access/permissions.ts'
import { newId } from '../../core/src/db/types.ts'
import { AgentRole } from '../../core/src/domain/agent/agent.entity.ts'
import { Contact, ContactField } from '../../core/src/domain/contact/contact.entity.ts'
import { customPrefix, writeCustomFields } from '../../core/src/domain/contact/custom-fields.ts'
import { Conversation } from '../../core/src/domain/conversation/conversation.entity.ts'
import { createDesk, customerKey } from '../../core/src/domain/customer/desk.ts'
import { StoredFile } from '../../core/src/domain/file/file.entity.ts'
import { partOf, storeFile } from '../../core/src/domain/file/store-file.ts'
import { Message } from '../../core/src/domain/message/message.entity.ts'
import { ConversationSummary } from '../../core/src/domain/record/record.entity.ts'
import { Role } from '../../core/src/domain/role/role.entity.ts'
import type { Person, World } from './world.ts'

export type Field = (typeof personalFields)[number]

export interface Case {
  scope: 'own' | 'department' | 'tree' | 'all' | null
  /** In the first inbox only. */
  line: boolean
  fields: Field[]
}
export const cases: fc.Arbitrary<Case> = fc.record({
  scope: fc.constantFrom(null, 'own' as const, 'department' as const, 'tree' as const, 'all' as const),
  line: fc.boolean(),
  fields: fc.subarray([...personalFields]),
})
/** These roles always, the generated ones besides. */
export const always: Case[] = [
  { scope: null, line: false, fields: [] },
  { scope: 'all', line: false, fields: [] },
  { scope: 'all', line: true, fields: [...personalFields] },
  { scope: 'tree', line: false, fields: ['phone'] },
]

/** Where each conversation lies: whose, in which department, in which inbox. */
export const spots = [
  { whose: 'mine', inbox: 0 },
  { whose: 'department', inbox: 0 },
  { whose: 'below', inbox: 1 },
  { whose: 'nobody', inbox: 1 },
] as const
const reaches = { own: ['mine'], department: ['mine', 'department'], tree: ['mine', 'department', 'below'], all: ['mine', 'department', 'below', 'nobody'] }
export const readable = ({ scope, line }: Case, spot: (typeof spots)[number]): boolean =>
  scope !== null && (reaches[scope] as string[]).includes(spot.whose) && !(line && spot.inbox !== 0)

export interface Secret {
  value: string
  field: Field | null
}
export interface Known {
  id: string
  contactId: string
  fileIds: string[]
  letterId: string
  ids: string[]
  secrets: Secret[]
}

let counter = 0
/** Digits that nobody else has; the last ones differ so that a mask that kept the wrong ones would show. */
export const digits = (count: number): string =>
  String(7_000_000 + ++counter * 7_919)
    .padEnd(count, '3')
    .slice(0, count)

/** Words that nobody takes for a number or an account's name, as "5vx" before letters is, or digits before digits. */
const harmless = Object.fromEntries([...'0123456789qvwx'].map((sign, i) => [sign, 'ACEFHKMNPRSTUY'[i] as string]))
export const mark = (word: string): string => word + newId().replace(/[\dqvwx]/g, (sign) => harmless[sign] as string)

export async function makeConversation(world: World, inboxId: string, departmentId: string | null, assigneeId: string | null): Promise<Known> {
  const { hub } = world
  const em = hub.em()
  const marker = mark('暗号')
  const phone = () => `139${digits(8)}`
  const n = ++counter
  const of = {
    name: `诸葛${String.fromCharCode(0x6c00 + n)}${String.fromCharCode(0x7a00 + n)}`,
    phone: phone(),
    email: `secret.mail${n}x@example.com`,
    wechat: `weixin_abc${n}z`,
    qq: `88${digits(8)}`,
    address: `浙江省杭州市文三路${n}号甲乙丙弄`,
  }
  const said = {
    phone: phone(),
    email: `word.mail${n}y@example.com`,
    wechat: `chat_name${n}q`,
    qq: `66${digits(8)}`,
    document: `110101199003${String(100000 + n).slice(1)}${n % 10}`.slice(0, 16) + '1234'.slice(0, 2),
  }
  // A valid day of birth whatever the counter says.
  said.document = `11010119900307${String(1000 + (n % 9000)).slice(-4)}`
  const more = {
    html: phone(),
    split: phone(),
    card: phone(),
    raw: phone(),
    file: phone(),
    note: phone(),
    summary: phone(),
    comment: phone(),
    remark: phone(),
    attribute: phone(),
    link: phone(),
    activity: phone(),
    custom: phone(),
    picture: phone(),
  }
  /** As they stand in an address. */
  const escaped = {
    phone: encodeURIComponent(phone().replace(/^(...)(....)/, '$1 $2 ')),
    email: encodeURIComponent(`escaped.mail${n}z@example.com`),
    name: encodeURIComponent(`张${String.fromCharCode(0x6d00 + n)}`),
  }
  const address = `https://shop.cn/order?email=${escaped.email}&tel=%2B86%20${escaped.phone}&name=${escaped.name}`
  const heads = { to: `head.to${n}x@example.com`, cc: `head.cc${n}x@example.com`, replyTo: `head.answers${n}x@example.com` }
  const customer = `visitor.${n}@shop-customer.cn`
  const facts = [{ name: 'invitedBy', label: { zh: '邀请人', en: 'Invited by' }, value: more.attribute }]
  const from = { externalId: customer, name: of.name, phone: of.phone, email: of.email, attributes: { contactPhone: more.attribute }, facts }
  const stored = await storeFile(hub, {
    name: `合同 ${more.file}.txt`,
    bytes: Buffer.from(`内容 ${marker}`),
    uploadedBy: customerKey({ inboxId, externalId: customer }),
  })
  const bytes = await sharp({ create: { width: 9, height: 9, channels: 3, background: { r: n % 255, g: 3, b: 9 } } })
    .png()
    .toBuffer()
  const picture = await storeFile(hub, { name: '图.png', bytes, uploadedBy: customerKey({ inboxId, externalId: customer }) })
  const raw = await storeFile(hub, {
    name: 'letter.eml',
    bytes: Buffer.from(`From: ${of.email}\r\n\r\n${marker}原件`),
    uploadedBy: customerKey({ inboxId, externalId: customer }),
  })
  const event = (parts: unknown[], extra: object = {}) => ({ kind: 'message' as const, externalId: newId(), from, parts, ...extra }) as never
  const split = `${more.split.slice(0, 3)}<b>${more.split.slice(3, 7)}</b>&#${more.split.charCodeAt(7)};${more.split.slice(8)}`
  const accepted = await hub.intake.accept(inboxId, [
    event([{ type: 'text', text: `${marker} 我的手机 ${said.phone} 邮箱 ${said.email} 微信：${said.wechat} QQ号 ${said.qq} 身份证 ${said.document}` }]),
    event([
      {
        type: 'html',
        html: `<p title="${more.html}">${split}</p><a href="tel:${more.html}">打</a><a href="${address}">单</a><img src="https://x.cn/a.png?p=${more.picture}">`,
        text: `信 ${more.html} ${more.split}`,
      },
    ]),
    event([
      { type: 'card', kind: 'lead', title: '线索', fields: [{ label: '电话', value: more.card }] },
      { type: 'unsupported', raw: { deep: [{ mobile: Number(more.raw) }] } },
    ]),
    event([
      { type: 'link', url: `https://example.com/?tel=${more.link}`, title: '链接' },
      { type: 'text', text: `我的订单 ${address}` },
      partOf(stored),
      partOf(picture),
    ]),
  ])
  const id = accepted[0]?.conversationId ?? ''
  const { contactId } = await em.findOneOrFail(Conversation, { id }, { disableIdentityMap: true })
  const page = { url: 'https://shop.cn/tea', title: '茶叶', referrer: '', ip: '203.0.113.9', userAgent: 'Mozilla/5.0' }
  await createDesk(hub).beat(inboxId, { visitId: newId(), externalId: customer, ...page })
  const messages = await em.find(Message, { conversationId: id }, { orderBy: { seq: 'asc' }, disableIdentityMap: true })
  const letter = messages.find(({ parts }) => parts[0]?.type === 'html')
  const returned = [
    {
      address: of.email,
      name: 'ours',
      sentence: { zh: `${of.email} 没有收到`, en: `${of.email} has not got it` },
      rawFileId: raw.id,
      at: new Date().toISOString(),
    },
  ]
  const head = { from: { name: of.name, address: of.email }, to: [{ address: heads.to }], cc: [{ address: heads.cc }], replyTo: [{ address: heads.replyTo }] }
  await em.nativeUpdate(Message, { id: letter?.id ?? '' }, { meta: { subject: '信', ...head, rawFileId: raw.id, returned } })
  await em.nativeUpdate(StoredFile, { id: { $in: [stored.id, picture.id, raw.id] } }, { conversationId: id })
  await em.nativeUpdate(Contact, { id: contactId }, { ...of, remark: `备注 ${more.remark}` })
  await writeCustomFields(em, { fields: [{ id: 'second', label: '备用联系方式' }] })
  await em.insert(ContactField, { contactId, field: `${customPrefix}second`, value: `家人 ${more.custom}`, source: '', byAgentId: null, updatedAt: new Date() })
  await em.upsert(ConversationSummary, { conversationId: id, answers: { text: `回访 ${more.summary}` }, updatedById: null, updatedAt: new Date() })
  await em.nativeUpdate(Conversation, { id }, { departmentId, assigneeId, status: 'open', ratingComment: `好评 ${more.comment}` })
  const owner = await world.person('老板', 'owner', { presence: 'away' })
  await world.reply(owner, id, `转告：回电 ${more.note}`, { note: true })
  const fields = Object.entries(of).map(([field, value]) => ({ field: field as Field, value }))
  // A page of each: what is masked in it and what is not is asked of all of them together.
  return {
    id,
    contactId,
    fileIds: [stored.id, picture.id],
    letterId: raw.id,
    ids: [id, contactId, stored.id, picture.id, raw.id, letter?.id ?? ''],
    secrets: [
      { field: null, value: marker },
      ...fields,
      ...Object.entries(said).map(([field, value]) => ({ field: field as Field, value })),
      ...Object.entries(more)
        .filter(([name]) => !['split', 'activity'].includes(name))
        .map(([, value]) => ({ field: 'phone' as const, value })),
      { field: 'phone', value: split },
      { field: 'email', value: customer },
      ...Object.entries(escaped).map(([field, value]) => ({ field: field as Field, value })),
      ...Object.values(heads).map((value) => ({ field: 'email' as const, value })),
    ],
  }
}

export async function personFor(world: World, departmentId: string): Promise<Person> {
  const em = world.hub.em()
  const person = await world.person('测试员', 'agent', { departmentId, presence: 'away' })
  const role = { id: newId(), builtin: null, name: '生成的角色', grants: [] as Grant[], createdAt: new Date() }
  await em.insert(Role, role)
  await em.nativeUpdate(AgentRole, { agentId: person.id }, { roleId: role.id })
  return person
}

/** Where it stands. */
const around = (text: string, value: string): string => {
  const at = text.indexOf(value)
  return at < 0 ? '' : text.slice(Math.max(0, at - 60), at + value.length + 30)
}

export function checkSaid(c: Case, known: readonly Known[], told: string, fields: readonly Field[], who: string, mustShow: (secret: Secret) => boolean): void {
  known.forEach((one, i) => {
    const open = readable(c, spots[i] as (typeof spots)[number])
    for (const secret of one.secrets) {
      const allowed = open && (secret.field === null || fields.includes(secret.field))
      if (!allowed) assert.ok(!told.includes(secret.value), `${who} leaks ${secret.field ?? 'the conversation'} ${secret.value}: ${around(told, secret.value)}`)
      else if (mustShow(secret)) assert.ok(told.includes(secret.value), `${who} lacks ${secret.field ?? 'the conversation'} ${secret.value}`)
    }
  })
}
