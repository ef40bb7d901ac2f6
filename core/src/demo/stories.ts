/** The people and the talk of the demonstration: a tea shop on an ordinary afternoon. */
import type { Presence } from '../domain/agent/agent.entity.ts'
import type { Sent } from './attachments.ts'

export const people: { name: string; mail: string; role: 'supervisor' | 'agent'; department: number; presence: Presence }[] = [
  { name: '林晓', mail: 'lin.xiao', role: 'supervisor', department: 0, presence: 'online' },
  { name: '陈嘉宁', mail: 'chen.jianing', role: 'agent', department: 1, presence: 'online' },
  { name: '何雨', mail: 'he.yu', role: 'agent', department: 1, presence: 'busy' },
  { name: '苏博文', mail: 'su.bowen', role: 'agent', department: 2, presence: 'away' },
]

const shop = 'https://shanye.example'
export const pages = [
  { url: `${shop}/`, title: '山野茶事 · 首页' },
  { url: `${shop}/spring/laobanzhang`, title: '老班章古树春茶 2026 头采' },
  { url: `${shop}/shu/menghai-10`, title: '十年陈 · 勐海熟普' },
  { url: `${shop}/ware/gaiwan`, title: '景德镇手绘盖碗' },
  { url: `${shop}/help/shipping`, title: '配送与运费' },
]

export interface Story {
  name?: string
  phone?: string
  /** 0 is the one who signs in; then the people above. */
  agent: number
  minutesAgo: number
  closed?: boolean
  remark?: string
  tags: string[]
  /** Who said what, and what was sent along. */
  lines: ['in' | 'out' | 'note', string, Sent?][]
}

export const stories: Story[] = [
  {
    name: '王建国',
    phone: '13812345678',
    agent: 0,
    minutesAgo: 1,
    tags: ['老客户'],
    remark: '每年春茶都订两饼，收件地址在成都',
    lines: [
      ['in', '你好，老班章头采还有货吗？'],
      ['out', '王先生您好！还有十二饼，今天下单今天就能发出。'],
      ['in', '比去年贵了不少啊'],
      ['note', '去年成交价 1 180，可以给九五折'],
      ['out', '今年头采减产三成，原料价涨得厉害。您是老客户，我给您申请九五折，一饼 1 216。'],
      ['in', '那要两饼，还是寄成都那个地址，可以开发票吗？'],
    ],
  },
  {
    agent: 0,
    minutesAgo: 6,
    tags: ['高意向'],
    lines: [
      ['in', '第一次喝普洱，应该买生的还是熟的？'],
      ['out', '您好，肠胃偏寒、平时喝得不多，建议先从熟普开始，温润不刺激。'],
      ['in', '那这款十年陈的会不会有霉味？网上说老茶容易有仓味'],
    ],
  },
  {
    name: '赵女士',
    phone: '13900001234',
    agent: 0,
    minutesAgo: 18,
    tags: ['需回访'],
    lines: [
      ['in', '盖碗收到了，盖子边上有个小缺口'],
      ['out', '非常抱歉！麻烦您拍张照片发给我，我马上为您补发。'],
      ['in', '就是这里，盖子边上', 'chipped'],
    ],
  },
  {
    agent: 0,
    minutesAgo: 42,
    tags: [],
    lines: [
      ['in', '顺丰到拉萨要几天？'],
      ['out', '拉萨一般 4 到 6 天，包邮。'],
      ['in', '好的谢谢'],
    ],
  },
  {
    name: '李思源',
    agent: 2,
    minutesAgo: 9,
    tags: ['高意向', '转微'],
    lines: [
      ['in', '公司年会想订五十份礼盒，能定制 logo 吗？'],
      ['out', '可以的，五十份起做，烫金 logo 免费，工期十天。'],
      ['in', '发一份报价给我吧，微信 lisiyuan_2020'],
      ['out', '报价在这里，有效期一个月。', 'prices'],
      ['out', '这是去年一家客户的样子：', 'box'],
    ],
  },
  {
    agent: 2,
    minutesAgo: 25,
    tags: [],
    lines: [
      ['in', '优惠券怎么用不了'],
      ['out', '请问提示是什么？麻烦截个图给我看看。'],
      ['in', '就是这样，点了没反应', 'coupon'],
    ],
  },
  {
    agent: 1,
    minutesAgo: 63,
    tags: ['转电'],
    lines: [
      ['in', '退款申请了三天还没到账，你们到底处不处理？'],
      ['out', '您好，我是主管林晓，已经为您加急，今天 18 点前到账，到账后我给您回电话确认。'],
      ['in', '一三六 5555 八八八八，微信同号，等你电话'],
    ],
  },
  {
    agent: 0,
    minutesAgo: 190,
    closed: true,
    tags: [],
    lines: [
      ['in', '请问你们几点下班'],
      ['out', '我们每天 9 点到 21 点在线。'],
      ['in', '好的，谢谢'],
    ],
  },
  {
    name: '孙敏',
    agent: 0,
    minutesAgo: 300,
    closed: true,
    tags: ['到店'],
    lines: [
      ['in', '昆明有实体店吗？想过去品一下'],
      ['out', '有的，在翠湖边上，周末下午有茶会，我给您留个位置？'],
      ['in', '周六下午三点，两个人'],
      ['out', '已经为您登记好了，周六见！'],
    ],
  },
]

/** What is asked most comes first. */
export const matters = [
  { category: '商品咨询', ask: '请问 2019 年的古树普洱还有货吗？', answer: '您好，还有的，今天下单明天就能发出。' },
  { category: '商品咨询', ask: '龙井和碧螺春，哪个更适合送长辈？', answer: '长辈的话推荐龙井礼盒，口感更清爽，也更体面。' },
  { category: '物流配送', ask: '我的快递三天没有动了，帮我看一下。', answer: '已经帮您联系快递，今天会重新派送，请您留意电话。' },
  { category: '物流配送', ask: '可以改一下收货地址吗？', answer: '可以的，请把新地址发给我，我马上为您修改。' },
  { category: '售后退换', ask: '收到的茶罐有磕碰，可以换一个吗？', answer: '非常抱歉，这边给您补发一个新的，旧的不用寄回。' },
  { category: '售后退换', ask: '不太合口味，七天内能退吗？', answer: '未拆封的七天内可以退，我把退货地址发给您。' },
  { category: '发票与付款', ask: '麻烦开一张公司抬头的发票。', answer: '好的，请提供公司名称和税号，今天开好发到您的邮箱。' },
  { category: '投诉建议', ask: '包装太厚了，能不能环保一点？', answer: '谢谢您的建议，我们正在换可回收的纸盒。' },
] as const

export const regulars = [
  '赵雅琴',
  '钱伯伟',
  '孙丽华',
  '李建国',
  '周晓彤',
  '吴佳宁',
  '郑海涛',
  '王思远',
  '冯淑敏',
  '陈立新',
  '褚文静',
  '卫东升',
  '蒋梦洁',
  '沈志强',
  '韩雨欣',
  '杨立群',
] as const
