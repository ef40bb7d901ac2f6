/** A hub's history for the bench: the same at every run, Chinese and Latin, spread over two years. */
import type { Em } from '../../../core/src/db/orm.ts'
import { insertRows } from '../../../core/src/db/statements.ts'
import { Contact, ContactField } from '../../../core/src/domain/contact/contact.entity.ts'
import { Conversation, ConversationAgent, ConversationTag, Star } from '../../../core/src/domain/conversation/conversation.entity.ts'
import { Message } from '../../../core/src/domain/message/message.entity.ts'
import { ConversationSummary } from '../../../core/src/domain/record/record.entity.ts'
import { ContactTag } from '../../../core/src/domain/tag/tag.entity.ts'

/** mulberry32 */
function generator(seed: number): () => number {
  let a = seed
  return () => {
    a = (a + 0x6d2b79f5) | 0
    let t = Math.imul(a ^ (a >>> 15), 1 | a)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}
const random = generator(20_261_122)
const below = (n: number): number => Math.floor(random() * n)
const one = <T>(values: readonly T[]): T => values[below(values.length)] as T
/** The first ones far more often than the last, as words and customers are. */
const early = (n: number): number => Math.min(n - 1, Math.floor(n ** random()) - 1)
const often = <T>(values: readonly T[]): T => values[Math.max(0, early(values.length))] as T

const alphabet = '0123456789abcdefghjkmnpqrstvwxyz'
/** As `newId`, for any time: sorts by it. */
export function idAt(ms: number): string {
  let time = ''
  for (let i = 0, rest = ms; i < 10; i++, rest = Math.floor(rest / 32)) time = alphabet[rest % 32] + time
  let tail = ''
  for (let i = 0; i < 16; i++) tail += alphabet[below(32)]
  return time + tail
}

const things =
  '订单 快递 发票 优惠券 会员 账号 密码 尺码 颜色 库存 运费 地址 退款 换货 赠品 保修 说明书 充电器 屏幕 电池 耳机 键盘 外套 连衣裙 运动鞋 面霜 奶粉 茶叶 咖啡机 吸尘器 空调 冰箱 洗衣机 净水器 门票 酒店 机票 课程 教材 合同 报价单 样品'.split(
    ' ',
  )
const products =
  'iPhone,MacBook Air,AirPods Pro,ThinkPad X1,Galaxy S24,Kindle,Switch OLED,PS5,GoPro,Dyson V12,Nespresso,SK-II,Nike Air Max,Adidas,Lego,Apple Watch,iPad mini,Type-C,USB 3.0,Wi-Fi 6'.split(
    ',',
  )
const shorts = '好的|谢谢|在吗|你好|您好|嗯嗯|收到|可以|明白了|不客气|稍等一下|麻烦了|好|嗯|OK|ok|谢谢您|再见|没问题|知道了'.split('|')
const asks = [
  '请问这个{t}还有货吗？',
  '我的{t}什么时候能到？',
  '{t}坏了怎么办，能不能换一个',
  '我想申请{t}的退款，单号是{n}',
  '你们{t}的价格能再便宜一点吗',
  '{p}和{q}哪个更好用？',
  '为什么我的{t}一直没有更新，都{d}天了',
  '帮我查一下{n}这个单子到哪里了',
  '收到的{t}跟图片上的颜色不一样',
  '{p}支持七天无理由退货吗',
  '我要投诉，你们的{t}质量太差了',
  '上次买的{p}屏幕有一条划痕',
  '麻烦把{t}寄到{r}路{d}号，谢谢',
  '开{t}需要提供什么资料',
  '我叫{r}，电话是{m}，请尽快联系我',
  '请问{t}的保修期是多久',
  'Can I get a refund for my {p}? Order {n}',
  'The {p} arrived but the box was damaged',
  '{r}说可以给我打折的，现在怎么不认了',
  '昨天下单的{t}今天能发货吗',
]
const answers = [
  '您好，请问有什么可以帮您的吗？',
  '亲，{t}目前有货的哦，今天下单预计{d}天内送达',
  '非常抱歉给您带来不便，我马上为您核实{t}的情况',
  '您的退款已经提交，预计三到五个工作日到账',
  '请您提供一下订单号，我这边帮您查询',
  '已经为您登记了，单号{n}，会有专人与您联系',
  '{p}是支持七天无理由退货的，请保持包装完好',
  '感谢您的耐心等待，{t}已经安排补发',
  '好的亲，您还有其他问题吗？祝您生活愉快',
  '这边看到您的{t}已经到达{r}分拨中心',
  '抱歉，{t}暂时缺货，到货后会第一时间通知您',
  'Your order {n} has been shipped, please allow {d} days',
]
/** Characters as frequent as in the language: a few very, thousands rarely. */
const characters = Array.from({ length: 3_000 }, () => String.fromCodePoint(0x4e00 + below(20_900)))
const common = [
  ...'的一是了我不人在他有这个上们来到时大地为子中你说生国年着就那和要她出也得里后自以会家可下而过天去能对小多然于心学么之都好看起发当没成只如事把还用第样道想作种开美总从无情己面最女但现前些所同日手又行意动方期它头经长儿回位分爱老因很给名法间斯知世什两次使身者被高已亲其进此话常与活正感见明问力理尔点文几定本公特做外孩相西果走将月十实向声车全信重三机工物气每并别真打太新比才便夫再书部水像眼等体却加电主界门利海受听表德少克代员许先口由死安写性马光白或住难望教命花结乐色',
]
const sign = (): string => (random() < 0.85 ? common[Math.max(0, early(common.length))] : characters[Math.max(0, early(characters.length))]) as string
const name = (): string => `${one([...'王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗'])}${characters[below(3_000)]}${random() < 0.6 ? characters[below(3_000)] : ''}`

const fill = (text: string): string =>
  text.replace(/\{(\w)\}/g, (_, kind: string) => {
    if (kind === 't') return often(things)
    if (kind === 'p' || kind === 'q') return often(products)
    if (kind === 'n') return `${20_240_000 + below(30_000)}${String(below(1_000_000)).padStart(6, '0')}`
    if (kind === 'd') return String(1 + below(30))
    if (kind === 'm') return `13${String(below(1_000_000_000)).padStart(9, '0')}`
    return name()
  })

/** In so few of a million messages. */
export const planted = { rare: '琉璃盏', single: 'Zanzibar-77' }

export function say(inbound: boolean, i: number): string {
  if (i % 16_667 === 5) return `有没有${planted.rare}，想买一套送人`
  if (i % 500_000 === 77) return `code ${planted.single} does not work`
  const kind = random()
  if (kind < 0.18) return one(shorts)
  if (kind < 0.72) return fill(one(inbound ? asks : answers))
  let text = ''
  for (let n = 8 + below(40); n > 0; n--) text += random() < 0.08 ? one(['，', '。', '！', '、']) : sign()
  return text
}

const ids = (count: number, at: number): string[] => Array.from({ length: count }, (_, i) => idAt(at + i))
const epoch = Date.UTC(2024, 10, 1)
/** Facets: what a filter may ask for. */
export const facets = {
  inboxes: ids(12, epoch),
  agents: ids(60, epoch + 100),
  departments: ids(12, epoch + 200),
  groups: ids(5, epoch + 300),
  categories: ids(30, epoch + 400),
  tags: ids(40, epoch + 500),
}
const channels = ['website', 'wechat', 'douyin', 'email']
export const spanMs = 2 * 365 * 86_400_000
const perConversation = 10
const together = 300

/** Fills the tables; tells of its progress. Everything happened before `now`. */
export async function seed(em: () => Em, messages: number, now: number, tell: (done: number) => void): Promise<void> {
  const first = now - spanMs
  const step = spanMs / messages
  const contacts = Math.ceil(messages / perConversation / 1.5)
  await fillContacts(em, contacts, first)
  const contactIds = contactsKept
  const open: Conversation[] = []
  let texts: Message[] = []
  let ended: Conversation[] = []
  const begin = (at: number): Conversation => {
    const inbox = Math.max(0, early(facets.inboxes.length))
    const agent = Math.max(0, early(facets.agents.length))
    return {
      id: idAt(at),
      inboxId: facets.inboxes[inbox],
      channel: channels[inbox % 4],
      // One customer in a hundred conversations, with a long history; the others have one or two each.
      contactId: contactIds[random() < 0.01 ? 0 : below(contactIds.length)],
      identityId: idAt(at),
      openIdentityId: null,
      status: 'closed',
      assigneeId: random() < 0.03 ? null : facets.agents[agent],
      departmentId: facets.departments[agent % 12],
      skillGroupId: random() < 0.3 ? one(facets.groups) : null,
      lastSeq: 0,
      messages: 0,
      rev: 1,
      agentReadSeq: 0,
      agentDeliveredSeq: 0,
      customerDeliveredSeq: 0,
      customerReadSeq: 0,
      unread: 0,
      preview: '',
      previewDirection: 'in',
      lastMessageAt: new Date(at),
      lastCustomerAt: null,
      grants: null,
      rating: random() < 0.2 ? (random() < 0.8 ? 1 : random() < 0.6 ? 2 : 3) : null,
      ratingComment: null,
      categoryId: random() < 0.5 ? facets.categories[Math.max(0, early(30))] : null,
      attachments: random() < 0.25 ? 1 << below(5) : 0,
      firstReplyAt: null,
      closeReason: 'agent',
      closedById: null,
      closedAt: new Date(at),
      archivedAt: random() < 0.02 ? new Date(at) : null,
      deletedAt: random() < 0.003 ? new Date(at) : null,
      deletedById: null,
      purgeAt: null,
      createdAt: new Date(at),
      changedAt: new Date(at),
    } as unknown as Conversation
  }
  const flush = async () => {
    const [these, those] = [texts, ended]
    texts = []
    ended = []
    await em().transactional(async (tx) => {
      await insertRows(tx as Em, Message, these)
      await insertRows(tx as Em, Conversation, those)
      const at = new Date(first)
      const of = (share: number) => those.filter(() => random() < share)
      const tags = of(0.15).map((c) => ({ conversationId: c.id, tagId: often(facets.tags), byAgentId: null, createdAt: at }) as ConversationTag)
      await insertRows(tx as Em, ConversationTag, tags)
      const passedOn = of(0.12).map((c) => ({ conversationId: c.id, agentId: often(facets.agents) }) as ConversationAgent)
      await insertRows(tx as Em, ConversationAgent, passedOn)
      await insertRows(
        tx as Em,
        ConversationSummary,
        of(0.1).map((c) => ({ conversationId: c.id, answers: {}, updatedById: null, updatedAt: at }) as ConversationSummary),
      )
      await insertRows(
        tx as Em,
        Star,
        of(0.002).map((c) => ({ agentId: one(facets.agents.slice(0, 3)), conversationId: c.id, createdAt: at }) as Star),
      )
    })
  }
  for (let i = 0; i < messages; i++) {
    const at = Math.floor(first + i * step)
    if (open.length < Math.min(together, messages / 50) || random() < 1 / perConversation) open.push(begin(at))
    if (open.length > together) ended.push(...open.splice(below(open.length), 1))
    const of = open[below(open.length)] as Conversation
    const inbound = of.lastSeq % 2 === 0
    of.lastSeq += 1
    of.messages += 1
    of.lastMessageAt = new Date(at)
    const id = idAt(at)
    const text = say(inbound, i)
    of.preview = text.slice(0, 60)
    texts.push({
      id,
      conversationId: of.id,
      inboxId: of.inboxId,
      seq: of.lastSeq,
      rev: of.lastSeq,
      direction: inbound ? 'in' : 'out',
      authorId: inbound ? null : of.assigneeId,
      parts: [{ type: 'text', text }],
      text,
      status: inbound ? 'received' : 'sent',
      dedupeKey: `in:${id}`,
      externalId: null,
      replyToId: null,
      failure: null,
      failureText: null,
      meta: null,
      done: 0,
      round: 1,
      recalledAt: null,
      sentAt: new Date(at),
      createdAt: new Date(at),
    } as unknown as Message)
    if (texts.length === 8_192) {
      await flush()
      tell(i + 1)
    }
  }
  open.forEach((c, i) => {
    if (i % 3 === 0) c.status = 'open'
  })
  ended.push(...open)
  await flush()
}

let contactsKept: string[] = []
async function fillContacts(em: () => Em, count: number, first: number): Promise<void> {
  contactsKept = Array.from({ length: count }, (_, i) => idAt(first + i))
  for (let from = 0; from < count; from += 8_192) {
    const rows = contactsKept.slice(from, from + 8_192).map(
      (id, i) =>
        ({
          id,
          number: 1_000 + from + i,
          nickname: random() < 0.1 ? `${name()}客户` : '',
          remark: random() < 0.3 ? `${one(['老客户', '新客户', '催过一次'])}，${one(shorts)}` : '',
          name: random() < 0.6 ? name() : '',
          phone: random() < 0.5 ? phoneOf(from + i) : '',
          email: '',
          wechat: '',
          qq: '',
          address: random() < 0.3 ? addressOf(from + i) : '',
          attributes: {},
          mergedIntoId: null,
          createdAt: new Date(first),
          updatedAt: new Date(first),
        }) as unknown as Contact,
    )
    await em().transactional(async (tx) => {
      await insertRows(tx as Em, Contact, rows)
      const tagged = rows
        .filter(() => random() < 0.02)
        .map(({ id }) => ({ contactId: id, tagId: often(facets.tags), byAgentId: null, createdAt: new Date(first) }) as ContactTag)
      await insertRows(tx as Em, ContactTag, tagged)
      const levelled = rows
        .filter(() => random() < 0.8)
        .map(({ id }) => {
          const value = levels[random() < 0.7 ? 0 : random() < 0.98 ? 1 : 2]
          return { contactId: id, field: 'hub.level', value, source: '', byAgentId: null, updatedAt: new Date(first) } as ContactField
        })
      await insertRows(tx as Em, ContactField, levelled)
    })
  }
}
/** Customers' levels, the last one seldom. */
export const levels = ['普通', '金牌', '钻石']
export const addressOf = (i: number): string => `浙江省杭州市西湖区文三路 ${i} 号`
export const phoneOf = (i: number): string => `137${String((i * 7_919) % 100_000_000).padStart(8, '0')}`
