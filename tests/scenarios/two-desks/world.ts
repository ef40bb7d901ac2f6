/**
 * A shop with two desks, sales and after-sales, each with an inbox and an agent of its own. One customer wrote to both;
 * the platform vouches for the phone number, so they are one contact.
 */
import { mockChannel } from '../../../core/sdk/testing.ts'
import { newId } from '../../../core/src/db/types.ts'
import { Agent, AgentRole } from '../../../core/src/domain/agent/agent.entity.ts'
import { createOwner, newAgent } from '../../../core/src/domain/agent/create-owner.ts'
import { Department } from '../../../core/src/domain/department/department.entity.ts'
import { createInbox } from '../../../core/src/domain/inbox/create-inbox.ts'
import { Role } from '../../../core/src/domain/role/role.entity.ts'
import { hashPassword } from '../../../core/src/domain/session/password.ts'
import type { Scenario } from '../scenario.ts'

const password = 'two-desks-in-one-shop'
const desks = [
  { department: '售前咨询', agent: '林晓', mail: 'sales@two-desks.test', line: '老班章头采还有货吗？送长辈想要礼盒装。' },
  { department: '售后支持', agent: '苏博文', mail: 'service@two-desks.test', line: '上次买的盖碗磕了一个小口，可以换一只吗？' },
]

const scenario: Scenario = {
  plugins: [mockChannel('till', { replyWindow: true, typing: true, receipts: ['delivered', 'read'] }).manifest],
  async seed({ hub }) {
    const em = hub.em()
    await createOwner(hub, { name: '周敏', email: 'owner@two-desks.test', password, locale: 'zh' })
    const { id: roleId } = await em.findOneOrFail(Role, { builtin: 'agent' }, { disableIdentityMap: true })
    const passwordHash = await hashPassword(password)
    for (const { department, agent, mail, line } of desks) {
      const desk = { id: newId(), name: department, parentId: null, createdAt: new Date() }
      await em.insert(Department, desk)
      const person = newAgent({
        name: agent,
        email: mail,
        passwordHash,
        departmentId: desk.id,
        presence: 'online',
        seenAt: new Date(Date.now() + 8 * 3_600_000),
      })
      await em.insert(Agent, person)
      await em.insert(AgentRole, { agentId: person.id, roleId })
      const inbox = await createInbox(hub, { channel: 'till', name: `${department}柜台`, departmentId: desk.id })
      const from = { externalId: `lei-${desk.id}`, name: '李雷', phone: '13800138000', verified: true }
      await hub.intake.accept(inbox.id, [
        { kind: 'activity', externalId: newId(), from, name: 'scan', label: { zh: '扫描了柜台二维码', en: 'Scanned the code on the counter' } },
        { kind: 'message', externalId: newId(), from, parts: [{ type: 'text', text: line }], grant: { name: 'message', count: 5, ms: 48 * 3_600_000 } },
      ])
    }
    return { people: ['owner@two-desks.test', ...desks.map(({ mail }) => mail)].map((mail) => `${mail} / ${password}`) }
  },
}
export default scenario
