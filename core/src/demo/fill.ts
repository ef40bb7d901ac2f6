/** `npm start -- --demo`: a world worth looking at, made through the same doors that customers and agents use. Fills an empty hub only. */
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { MessagePart } from '../../sdk/message-parts.ts'
import type { Em } from '../db/orm.ts'
import { newId } from '../db/types.ts'
import { Agent, AgentRole } from '../domain/agent/agent.entity.ts'
import { createOwner, newAgent, ownerExists } from '../domain/agent/create-owner.ts'
import { Contact } from '../domain/contact/contact.entity.ts'
import { assignTo } from '../domain/conversation/assign-conversation.ts'
import { changeConversation } from '../domain/conversation/change.ts'
import { closeConversation } from '../domain/conversation/close-conversation.ts'
import { Assignment, Conversation } from '../domain/conversation/conversation.entity.ts'
import { customerKey } from '../domain/customer/desk.ts'
import { Department } from '../domain/department/department.entity.ts'
import { claimFiles } from '../domain/file/claim-files.ts'
import { partOf, storeFile } from '../domain/file/store-file.ts'
import { Inbox } from '../domain/inbox/inbox.entity.ts'
import { Delivery, Message } from '../domain/message/message.entity.ts'
import { Role } from '../domain/role/role.entity.ts'
import { hashPassword } from '../domain/session/password.ts'
import { ContactTag, Tag } from '../domain/tag/tag.entity.ts'
import { Visit } from '../domain/visit/visit.entity.ts'
import type { Hub } from '../hub.ts'
import { attachments, type Sent } from './attachments.ts'
import { fillHistory } from './history.ts'
import { pages, people, stories } from './stories.ts'

/** Returns how to sign in, or nothing when the hub holds something already. */
export async function fillDemo(hub: Hub): Promise<string | undefined> {
  const em = hub.em()
  if ((await em.count(Conversation, {})) > 0) return undefined
  const password = randomBytes(9).toString('base64url')
  let login = ''
  if (!(await ownerExists(em))) {
    await createOwner(hub, { name: '周敏', email: 'demo@huike.local', password, locale: 'zh' })
    login = `demo@huike.local / ${password}`
  }
  const inbox = await em.findOne(Inbox, { enabled: true }, { orderBy: { createdAt: 'asc' }, disableIdentityMap: true })
  if (!inbox) return login
  const departments = await makeDepartments(em)
  const agents = await makeAgents(em, departments, await hashPassword(password))
  const tags = await makeTags(em)
  const owner = await em.findOneOrFail(Agent, { id: { $nin: agents.map((agent) => agent.id) } }, { disableIdentityMap: true })
  const all = [owner, ...agents]

  for (const [i, story] of stories.entries()) {
    const externalId = `demo_${newId()}`
    let conversationId = ''
    for (const [from, text, sent] of story.lines) {
      if (from === 'in') {
        const [accepted] = await hub.intake.accept(inbox.id, [
          {
            kind: 'message',
            externalId: newId(),
            from: { externalId, name: story.name, phone: story.phone },
            parts: await partsOf(hub, text, sent, customerKey({ inboxId: inbox.id, externalId })),
          },
        ])
        conversationId = accepted?.conversationId ?? conversationId
      } else {
        const agent = all[story.agent] as Agent
        const parts = await partsOf(hub, text, sent, agent.id)
        await changeConversation(hub, conversationId, async (change, tx) => {
          if (change.conversation.assigneeId !== agent.id) await assignTo(tx, change, agent.id, 'routed', null)
          const message = change.append({ direction: from, parts, authorId: agent.id })
          message.parts = await claimFiles(tx, parts, message, agent.id)
          return true
        })
      }
    }
    const conversation = await em.findOneOrFail(Conversation, { id: conversationId }, { disableIdentityMap: true })
    await heard(em)
    await age(em, conversation, story.minutesAgo)
    if (story.remark) await em.nativeUpdate(Contact, { id: conversation.contactId }, { remark: story.remark })
    for (const name of story.tags) {
      const tag = tags.find((known) => known.name === name)
      // A plugin that reads along may have put it there already.
      if (tag) await em.upsert(ContactTag, { contactId: conversation.contactId, tagId: tag.id, byAgentId: null, createdAt: new Date() })
    }
    await em.insert(Visit, visitOf(inbox.id, conversation, story.minutesAgo, i))
    if (story.closed) await closeConversation(hub, conversationId, 'agent', (all[story.agent] as Agent).id)
  }
  for (let i = 0; i < 6; i++) await em.insert(Visit, visitOf(inbox.id, undefined, i * 3, i))
  await fillHistory(hub, inbox, agents)
  await fillHands(em, agents)
  return login || `${agents[0]?.email} / ${password}`
}

async function partsOf(hub: Hub, text: string, sent: Sent | undefined, uploadedBy: string): Promise<MessagePart[]> {
  const words: MessagePart = { type: 'text', text }
  if (!sent) return [words]
  const { name, bytes } = attachments[sent]
  return [words, partOf(await storeFile(hub, { name, bytes: await bytes(), uploadedBy }))]
}

async function makeDepartments(em: Em): Promise<Department[]> {
  const make = (name: string, parentId: string | null) => ({ id: newId(), name, parentId, createdAt: new Date() }) as Department
  const service = make('客户服务部', null)
  const rows = [service, make('售前咨询组', service.id), make('售后支持组', service.id)]
  await em.insertMany(Department, rows)
  return rows
}

async function makeAgents(em: Em, departments: readonly Department[], passwordHash: string): Promise<Agent[]> {
  const roles = await em.find(Role, {}, { disableIdentityMap: true })
  // They are at their desks for the length of the demonstration.
  const seenAt = new Date(Date.now() + 8 * 3_600_000)
  const agents = people.map(({ name, mail, role, department, presence }) => ({
    role: roles.find((known) => known.builtin === role)?.id ?? '',
    agent: newAgent({ name, email: `${mail}@huike.local`, passwordHash, departmentId: departments[department]?.id ?? null, presence, seenAt }),
  }))
  await em.insertMany(
    Agent,
    agents.map(({ agent }) => agent),
  )
  await em.insertMany(
    AgentRole,
    agents.map(({ agent, role }) => ({ agentId: agent.id, roleId: role })),
  )
  return agents.map(({ agent }) => agent)
}

/** Whoever is there has as much as they take: what is written on the demo page goes to the one at the screen, or waits for them. */
async function fillHands(em: Em, agents: readonly Agent[]): Promise<void> {
  const serving = await em.find(Agent, { id: { $in: agents.map(({ id }) => id) }, openCount: { $gt: 0 } }, { disableIdentityMap: true })
  for (const { id, openCount } of serving) await em.nativeUpdate(Agent, { id }, { capacity: openCount })
}

async function makeTags(em: Em): Promise<Tag[]> {
  const rows = [
    ...['转微', '转电', '预约', '到店'].map((name) => ({ name, system: true })),
    ...['老客户', '高意向', '需回访'].map((name) => ({ name, system: false })),
  ].map((tag) => ({ ...tag, id: newId(), createdAt: new Date() }) as Tag)
  await em.insertMany(Tag, rows)
  return rows
}

/** Until plugins have read what was said, while it is new. */
async function heard(em: Em): Promise<void> {
  for (let i = 0; i < 200 && (await em.count(Delivery, { attempts: 0 })) > 0; i++) await sleep(20)
}

/** Moves what was just written into the past, so that the list reads like a day. */
async function age(em: Em, conversation: Conversation, minutes: number): Promise<void> {
  const ms = minutes * 60_000
  const back = (date: Date) => new Date(date.getTime() - ms)
  const total = conversation.lastSeq
  const now = Date.now()
  const said = (seq: number) => new Date(now - ms - (total - seq) * 45_000)
  await em.nativeUpdate(
    Conversation,
    { id: conversation.id },
    {
      lastMessageAt: back(conversation.lastMessageAt),
      lastCustomerAt: conversation.lastCustomerAt ? back(conversation.lastCustomerAt) : null,
      waitingSince: conversation.waitingSince ? back(conversation.waitingSince) : null,
      firstReplyAt: conversation.firstReplyAt ? said(Math.min(4, total)) : null,
      createdAt: said(1),
    },
  )
  for (let seq = 1; seq <= total; seq++) await em.nativeUpdate(Message, { conversationId: conversation.id, seq }, { createdAt: said(seq), sentAt: said(seq) })
  // The lines that tell of them follow the first words.
  const assignments = await em.find(Assignment, { conversationId: conversation.id }, { orderBy: { id: 'asc' }, disableIdentityMap: true })
  for (const [i, { id }] of assignments.entries()) await em.nativeUpdate(Assignment, { id }, { createdAt: said(2 + i) })
}

function visitOf(inboxId: string, conversation: Conversation | undefined, minutesAgo: number, i: number): Visit {
  const now = Date.now()
  const startedAt = new Date(now - (minutesAgo + 4) * 60_000)
  const trail = pages.slice(i % 3, (i % 3) + 2 + (i % 2)).map((page, k) => ({ ...page, at: new Date(startedAt.getTime() + k * 60_000).toISOString() }))
  return {
    id: newId(),
    inboxId,
    identityId: conversation?.identityId ?? null,
    contactId: conversation?.contactId ?? null,
    ip: `203.0.113.${10 + i}`,
    userAgent:
      i % 2 ? 'Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Safari/604.1' : 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/150.0 Safari/537.36',
    referrer: i % 3 === 0 ? 'https://www.baidu.com/s?wd=古树普洱' : '',
    pages: trail,
    pageCount: trail.length,
    startedAt,
    seenAt: new Date(now - (minutesAgo > 30 ? minutesAgo * 60_000 : 0)),
    spokeAt: conversation ? startedAt : null,
  } as Visit
}
