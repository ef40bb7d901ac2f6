/** Age and gender: of the customer where they speak of themselves, else with whose it is. */
import { find, type Reading } from '@huike/core/sdk/contact-reader/reader.ts'

const han: Readonly<Record<string, number>> = { 零: 0, 〇: 0, 一: 1, 二: 2, 两: 2, 三: 3, 四: 4, 五: 5, 六: 6, 七: 7, 八: 8, 九: 9 }

/** 28, 二十八, 廿八; undefined for what is no number below 120. */
export function numberOf(text: string): number | undefined {
  if (/^\d{1,3}$/.test(text)) return Number(text)
  const parts = /^([一二两三四五六七八九])?十([一二三四五六七八九])?$/.exec(text)
  if (parts) return (parts[1] ? (han[parts[1]] as number) : 1) * 10 + (parts[2] ? (han[parts[2]] as number) : 0)
  if (/^[一二三四五六七八九][零〇一二三四五六七八九]$/.test(text)) return (han[text[0] as string] as number) * 10 + (han[text[1] as string] as number)
  return text.length === 1 ? han[text] : undefined
}

const number = '(?:\\d{1,3}|[一二三四五六七八九]?十[一二三四五六七八九]?|[一二两三四五六七八九])'
/** After a number these make it something else than an age. */
const unit =
  '(?![\\d.%％:：/]|[-~～—至到]\\d|\\s?(?:号|元|块|天|分|秒|码|寸|周(?!岁)|楼|折|个|件|斤|公斤|次|点|月|日|克|米|厘|公|度|层|栋|级|期|名|位|人|页|毛|k|w|两|盒|瓶|套|双|条|张|毫|升|平|c|m|g|小时|款|只|本|台|箱|包|倍|班|路|线|届|章|集|部|家|种|杯|片|粒|支|袋|千|万|百|床|室|年|多[块元斤个]|来[块元斤个]|几[块元斤个]))'

const subjects: readonly [whose: string, words: RegExp][] = [
  [
    'self',
    /(?:我是(?:一?[个名位])?(?:在校|在读|大|高中|研究)?学生|我今年|我奔|我快|本人|我自己|我(?:都|才|刚|也|快|现在|马上|已经|虚岁|周岁|实岁|是|，|,|大概|差不多|年龄|：|:| )|俺|(?:我|本人)$)/g,
  ],
  [
    'child',
    /(?:孩子|宝宝|宝贝|儿子|女儿|闺女|小孩|娃|小朋友|大宝|二宝|老大|老二|小儿|小女|孙子|孙女|外孙|弟弟|妹妹|侄子|侄女|外甥|学生|犬子|崽|幼儿|婴儿|男孩|女孩|儿童)/g,
  ],
  ['parent', /(?:妈妈?|爸爸?|母亲|父亲|爸妈|父母|老人|爷爷|奶奶|外婆|外公|姥姥|姥爷|公公|婆婆|岳父|岳母|丈母娘|老爷子|老太太|长辈)/g],
  ['partner', /(?:老公|老婆|媳妇|男朋友|女朋友|男友|女友|对象|爱人|先生|太太|老伴|未婚夫|未婚妻)/g],
  ['friend', /(?:朋友|同学|同事|闺蜜|姐姐?|哥哥?|嫂子|舅舅|阿姨|叔叔|表妹|表弟|堂妹|堂弟|老板|亲戚|小姑子|客人|室友)/g],
  [
    'thing',
    /(?:工龄|房龄|车龄|教龄|驾龄|店龄|狗|猫|猫咪|狗狗|泰迪|金毛|公司|房子|车子|这车|树龄|树|茶|酒|机器|乌龟|鹦鹉|兔子|马|建店|品牌|你们(?:家|店|公司|医院)|医生|老师|教练|它|账号|模特|这[台部个]?(?:电脑|手机|空调|冰箱))/g,
  ],
]

/** Who the words before an age speak of: the last one named in this clause. */
function whoseAge(before: string): string {
  const clause = before.slice(Math.max(...['。', '！', '？', '!', '?', '\n', ';', '；', '\ue000'].map((end) => before.lastIndexOf(end))) + 1)
  let best = ''
  let at = -1
  let length = 0
  for (const [whose, pattern] of subjects)
    for (const match of clause.matchAll(pattern)) {
      // The one that ends last; of two that end together the longer: `小朋友` is no `朋友`.
      const end = match.index + match[0].length
      if (end > at || (end === at && match[0].length > length)) {
        at = end
        length = match[0].length
        best = whose
      }
    }
  // Whoever names nobody speaks of themselves.
  return best === '' && /今年|年龄|岁数|年纪|自己/.test(clause) ? 'self' : best
}

const reach = 22
/** A rule for everybody, a size, a product: nobody's age. */
const general = /(?:适合|适用|适龄|满|未满|超过|大于|小于|不到|从|至|到|[-~～—]|儿童|限|\d|第|几|每)\s?$/
const generalAfter =
  /^(?:以上|以下|以内|以前|之前|之后|以后|起|及|至|到|[-~～—]|左右(?:的)?(?:能|可以|适合|小孩|孩子|穿)|的?(?:时候|那年|书|教材|玩具|衣服|鞋|课程|班|奶粉|生日蛋糕|蜡烛)|段|前|后|组|龄|生日)/

/** What is worn, weighed and counted stands beside numbers that are nobody's years: `38 女` is a shoe, `160/45` a body. */
const goods = new RegExp(
  [
    '[鞋靴袜裤裙帽斤]|衣(?!原体)|服(?![用药务气])|文胸|胸罩|[a-h]罩?杯|罩杯|[腰胸臀手帽头领]围|戒指|手镯|手链|项链|尿不湿|纸尿裤',
    '身高|体重|净高|cm|kg|厘米|千克|[尺寸](?!骨)|(?:尺|鞋|大|小|什么|哪个|几|均|加|[\\dsml])码|码数|穿(?!孔|刺|透)|脚[宽长胖瘦背]|[宽瘦胖]脚',
    '双(?![眼手腿下侧胞相向击方重面])|[一两几各]件|[一两几各]套|套装|[女男这哪那同几新童]款|款式|[白黑红蓝灰粉绿紫黄棕]色(?!素|斑)|有[现存]?货|现货|库存|包邮|纯棉|偏[大小](?!便)|合身|宽松',
    '订单|单号|编号|工号|学号|身份证(?:号|尾)|尾号|房间|宿舍|包间|座位|几楼|地铁|公交|人数|\\d[人位]|团建|各[一两\\d]|数量',
  ].join('|'),
)
/** A noun right before a number is what it counts, unless it is a name, a complaint, or the speaker. */
const mayLead =
  /(?:我|本人|是|今年|现在|报名|登记|预约|挂号|咨询|姓名|[你您]好|在吗|[皮肌痘斑症病痛炎]|单身|[未已]婚|学生|上班族|(?<![\u4e00-\u9fa5])[王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈姚卢姜崔钟谭陆汪范金石廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤][\u4e00-\u9fa5]{1,2})[\s:：]*$/
const quantity =
  /^\s?(?:[号点楼路桌排栋]|双(?![眼手腿下侧胞相向击方重面])|件|条|套|个|克|毫升|ml|名|位|人|元|块|折|斤|单(?![身亲])|箱|盒|码|[a-h](?![a-z])|以[上下内]|左右的)/
const otherPair =
  /(?<!\d)(?:1?\d{2}|\d)(?:\.\d)?\s?(?:码|号)?[\s,，、/]{0,2}(?:女|男)(?![朋友儿婿])|(?:女|男)(?:的|生|士|性|童|宝)?[\s,，、/]{0,2}1?\d{1,2}(?![\d点月年])/g
const asksAge = /多大年?[纪龄]|多大(?!码)|年龄|几岁|年纪|岁数|出生/

/** A number beside a sex, or beside `我`, is a size, a measure, an amount: of what is bought, or of many. */
function measured(low: string, start: number, end: number): boolean {
  const left = low.slice(Math.max(0, start - 30), start)
  const right = /^[^。！!;；\ue000]*/.exec(low.slice(end, end + 24))?.[0] ?? ''
  // What was said before the colleague's last word is past; the word itself is what this answers.
  const parts = left.split('\ue000')
  const said = (parts.at(-1) as string).split(/[。！!;；]/).at(-1) as string
  const question = parts.at(-2) ?? ''
  if (quantity.test(right)) return true
  if (asksAge.test(question) || /本人|年龄|性别/.test(said.slice(-8))) return false
  // 90 男: a child's size sooner than a man of ninety.
  if (/[女男]/.test(low.slice(start, end)) && Number(/\d{2}/.exec(low.slice(start, end))?.[0]) > 80) return true
  const near = `${said}\ue000${right}`
  return (
    goods.test(near) ||
    goods.test(question) ||
    (/[\u4e00-\u9fa5][\s:：]*$/.test(said) && !mayLead.test(said) && /^(?:thing)?$/.test(whoseAge(said.trimEnd().slice(-3)))) ||
    /(?<!\d)\d{1,3}(?:\.\d)?\s?[\s,，、/~～*x×到至-]{1,3}$/.test(said) ||
    /^[\s,，、/~～*x×到至-]{1,3}1?\d{2}(?:\.\d)?(?![\d.:：点月年天周岁个颗次])/.test(right) ||
    [...near.matchAll(otherPair)].length > 0
  )
}

/** 十一 is a holiday; 38, 51, 66 and the like are days when shops have something on. */
const shopDay = /^(?:[1-9]1|十一|五一|三八|12|十二|(\d)\1|38)$/
const seeming = /(?:不是|并非|不像|像是?|看(?:着|起来|上去)|显得?|以为我?|当我是?)\s?$/
const onSale = /^[^。！!\ue000]{0,10}(?:放假|国庆|长假|假期|活动|营业|开门|涨价|降价|优惠|打折|折扣|促销|节|大促|发货|包邮|值班)/
const holiday = /^[^。！!\ue000]{0,10}(?:出游|旅游|旅行|玩|出去|休息|上班|高速|回家|老家|结婚|婚礼|出门|自驾)/

/** The text, and what every way of reading an age asks of it. */
class Page {
  readonly low: string
  readonly #reading: Reading
  readonly #taken: { start: number; end: number }[] = []
  constructor(reading: Reading) {
    this.#reading = reading
    this.low = reading.shadow.low
  }
  readonly before = (at: number): string => this.low.slice(Math.max(0, at - reach), at)
  /** What was said before it without a pause. */
  readonly clause = (at: number): string => {
    const left = this.before(at)
    return left.slice(Math.max(...['，', ',', '。', '！', '？', '!', '?', '\n', ' ', '\ue000'].map((end) => left.lastIndexOf(end))) + 1)
  }
  /** The clause begins here: whoever names nobody speaks of themselves. */
  readonly begins = (at: number): boolean => at === 0 || /[，,。！!？?；;\s\ue000]/.test(this.low[at - 1] as string)
  /** It is all that was said, and a colleague has just asked how old, or born when. */
  readonly asked = (start: number, end: number): boolean =>
    /(?:多大|哪一?年|年龄|几岁|年纪|岁数|出生|生肖|属什么)[^\ue000]{0,20}\ue000\s?(?:我是?|大概|大约)?$/.test(this.low.slice(Math.max(0, start - 60), start)) &&
    /^的?(?:吧|啊|呢|左右)?[。！!~～\s]*(?:$|[，,\n\ue000])/.test(this.low.slice(end, end + 8))
  /** Whoever reads it later, it is nobody's age. */
  readonly pass = (start: number, end: number): void => void this.#taken.push({ start, end })
  readonly put = (rule: string, normal: string, start: number, end: number, whose: string, factor = 1): void => {
    if (this.#reading.closed[start] || this.#taken.some((one) => one.start < end && start < one.end)) return
    this.pass(start, end)
    if (whose === 'thing') return
    if (whose === '' || whose === 'self') find(this.#reading, rule, { normal, start, end }, factor)
    else find(this.#reading, 'age.others', { normal: `${whose}:${normal}`, start, end, whose })
  }
  /** An age beside a sex. */
  readonly pair = (at: number, said: string, age: string, start: number): void => {
    const end = at + said.length + (/^[性生士的]/.test(this.low.slice(at + said.length)) ? 1 : 0)
    if (this.low[end] !== '岁' && measured(this.low, at + leadOf(said), end)) return
    this.put('age.self', age, start, start + 2, whoseAge(this.before(at)) || 'self', 0.97)
  }
}

interface Way {
  pattern: RegExp
  read(page: Page, match: RegExpExecArray): void
}

/** In this order: what an earlier one has taken, or passed, no later one reads. */
const ways: readonly Way[] = [
  // 三十出头, 四十多岁, 二十八九, 快三十了, 奔五
  {
    pattern: /([二三四五六七八九]十|[2-9]0)(出头|多岁|来岁|好几|几岁|多了|好几岁|多(?=[，,。！!\s]|$))/g,
    read({ low, put, begins, before }, match) {
      const base = numberOf(match[1] as string) as number
      if (/^[\d零一二三四五六七八九十百千万]/.test(low[match.index - 1] ?? '') || /^(?:块|元|斤|个|天|件)/.test(low.slice(match.index + match[0].length)))
        return
      const whose = whoseAge(before(match.index))
      if (whose === '' && !/岁|出头/.test(match[0]) && !(match[2] === '多了' && begins(match.index))) return
      put(
        'age.range',
        match[2] === '出头' ? `${base}-${base + 3}` : `${base}-${base + 9}`,
        match.index,
        match.index + match[0].replace(/了$/, '').length,
        whose,
      )
    },
  },
  {
    pattern: /([二三四五六七八九]?十)([一二三四五六七八])([二三四五六七八九])(岁)?/g,
    read({ low, put, before }, match) {
      const [tens, low1, low2] = [numberOf(match[1] as string) as number, han[match[2] as string] as number, han[match[3] as string] as number]
      const whose = whoseAge(before(match.index))
      if (low2 !== low1 + 1 || (whose === '' && !match[4]) || /^[块元斤个天件号度分]/.test(low.slice(match.index + match[0].length))) return
      put('age.range', `${tens + low1}-${tens + low2}`, match.index, match.index + match[0].length, whose)
    },
  },
  {
    pattern: new RegExp(`(快|奔|将近|年近|接近|马上|小)(${number})(岁|了|的人|(?=[，,。！!\\s]|$))`, 'g'),
    read({ put, begins, before }, match) {
      const value = numberOf(match[2] as string)
      if (value === undefined) return
      const start = match.index
      const whose = whoseAge(before(start) + (match[1] as string))
      const decade = match[1] === '奔' && value < 10 ? value * 10 : value
      if (decade < 18 || decade > 100 || (match[1] === '小' && decade % 10 !== 0)) return
      if (whose === '' && !(begins(start) && decade % 10 === 0 && /[了人岁]$/.test(match[0]))) return
      if (match[1] === '小') return
      put(
        'age.range',
        match[1] === '奔' ? `${decade - 5}-${decade - 1}` : `${decade - 2}-${decade - 1}`,
        start,
        start + match[0].length - (/^(?:了|的人)$/.test(match[3] as string) ? (match[3] as string).length : 0),
        whose,
      )
    },
  },
  // 三十左右, 我30上下: about, by two years. Of a sum, a size or a day it says nothing of anybody.
  {
    pattern: /(?<![\d.零一二三四五六七八九十百第])(\d{2}|[二三四五六七八九]十[一二三四五六七八九]?)(?:左右|上下)/g,
    read({ low, put, asked, before }, match) {
      const value = numberOf(match[1] as string)
      if (value === undefined || value < 16 || value > 90) return
      const [left, right] = [before(match.index), low.slice(match.index + match[0].length, match.index + match[0].length + 4)]
      if (!/^(?:$|[，,。！!？?、；;~～\s\ue000]|的?(?:人|样子|年纪|吧|啊|呢)|女|男|岁)/.test(right)) return
      if (/价|预算|元|块|花|贵|便宜|尺|码|身高|体重|重|斤|长|宽|高|厚|温度|度|点|号|月|天|分|数量|库存|买|要|销|页|量|寸|从|到/.test(left.slice(-8))) return
      const whose = whoseAge(left)
      if (whose === '' ? !asked(match.index, match.index + match[0].length) : whose === 'thing') return
      put('age.range', `${value - 2}-${value + 2}`, match.index, match.index + match[0].length, whose)
    },
  },
  // 我属龙, 我妈属兔: every twelfth year; which, nobody says.
  {
    pattern: /属(?:相是|相)?([鼠牛虎兔龙蛇马羊猴鸡狗猪])(?=$|[的，,。！!？?、；;~～\s\ue000]|啊|呢|今年|吗)/g,
    read({ low, put, asked, clause }, match) {
      const said = clause(match.index)
      const named = /(?:我|本人|俺)(?:自己)?(?:是|也是|也|本身)?$/.test(said)
      const whose = named ? 'self' : whoseAge(said)
      // 属龙的手链有吗: a thing for them, nobody's own sign.
      if (/^的[^，,。！!？?\s\ue000]/.test(low.slice(match.index + match[0].length))) return
      if (whose === '' || whose === 'thing' ? !asked(match.index, match.index + match[0].length) : !named && whose === 'self') return
      put('age.zodiac', `zodiac:${match[1]}`, match.index, match.index + match[0].length, whose)
    },
  },
  // 我退休了, 退休在家: nobody's year, but a hint.
  {
    pattern: /退休(?!金|工资|年龄|手续|证|办理|政策|前|费|待遇|生活|礼|规划|保险|计划|后?再|以后|之后|的时候|那)/g,
    read({ low, put, clause }, match) {
      const said = clause(match.index)
      const right = low.slice(match.index + 2, match.index + 8)
      if (/没|未|不|快|等|将|要|想|准备|打算|何时|什么时候|怎么|能|可以|离|到|才/.test(said.slice(-5))) return
      if (/^[^，,。！!\s]{0,5}[？?吗]/.test(right)) return
      const whose = whoseAge(said)
      const done = /^(?:了|在家|多年|好几年|[一二两三四五六七八九十\d]+年|老师|教师|工人|干部|职工|人员|护士|医生|会计)/.test(right)
      const own =
        /(?:我|本人|俺)(?:是|也|都|已经|刚|才|早就|早|现在|去年|今年|前年|上个月|已)*(?:一?[个名])?$/.test(said) ||
        /^(?:已经|刚|早就|现在|去年|今年)*$/.test(said)
      if (!done || !(own || (whose !== '' && whose !== 'self' && whose !== 'thing'))) return
      put('age.retired', 'retired', match.index, match.index + 2, own ? 'self' : whose)
    },
  },
  // 我上大三, 今年高二: no year of one's own, but a hint.
  {
    pattern: /[大研高][一二三四五](?=$|[，,。！!~～、;；\s\ue000]|了|啦|呢|啊|哦|的?学生|在读|学年|开学|生(?![日意活]))/g,
    read({ put, asked, clause }, match) {
      const { index } = match
      const said = clause(index)
      const stem = said.replace(/(?:今年|现在|目前|刚刚?|正?在|已经|都|也|才|快|马上|就|是|一[个名])*(?:上|读|念|升)?(?:到|了)?$/, '')
      const own = /(?:^|[^给帮让比和跟对替])(?:我|本人|俺)$/.test(stem) || (stem === '' && /今年|现在|目前|上|读|念|升/.test(said))
      const whose = own ? 'self' : whoseAge(stem)
      const another = whose !== '' && whose !== 'self' && whose !== 'thing' && whoseAge(stem.slice(-3)) === whose
      if (own || another || asked(index, index + 2)) put('age.school', `school:${match[0]}`, index, index + 2, another ? whose : 'self')
    },
  },
  // 95后, 90年的, 1990年出生
  {
    pattern:
      /(?<![\d.])((?:19|20)?[0-9]\d|[零〇一二三四五六七八九]{2})后(?!排|缀|面|天|续|期|来|悔|台|者|轮|备|的|卫|门|跟|置|仰|会|怀旧|经典|回忆|童年|零食|风格?|复古|专区)/g,
    read({ low, put, before }, match) {
      const text = match[1] as string
      const short = /^\d/.test(text) ? Number(text.slice(-2)) : (numberOf(text.replaceAll('〇', '零').replace(/^零零$/, '00')) ?? Number.NaN)
      const two = /^[零〇]/.test(text) ? [...text].map((sign) => han[sign]).join('') : String(short).padStart(2, '0')
      const year = Number(two) > 30 ? 1900 + Number(two) : 2000 + Number(two)
      if (!/[05]$/.test(two) || year < 1940 || year > 2015) return
      const whose = whoseAge(before(match.index))
      const lead = low.slice(Math.max(0, match.index - 4), match.index)
      if (whose !== 'self' && !/我|是|^$|[，,。！!\s]$/.test(lead)) return
      if (/分钟|小时|天$/.test(lead)) return
      const span = two.endsWith('5') ? `${year}-${year + 4}` : `${year}-${year + 9}`
      put('age.born', `born:${span}`, match.index, match.index + match[0].length, whose)
    },
  },
  {
    pattern: /(?<!\d)((?:19[3-9]|20[01])\d|[3-9]\d|0\d)年(?:\d{1,2}月)?(?:\d{1,2}[日号])?(出生的?|生的?|的(?=[，,。！!~～\s]|$))/g,
    read({ low, put, asked, before }, match) {
      const year = (match[1] as string).length === 4 ? Number(match[1]) : Number(match[1]) > 30 ? 1900 + Number(match[1]) : 2000 + Number(match[1])
      const whose = whoseAge(before(match.index))
      if (
        /产|生产|成立|上市/.test(low.slice(match.index + match[0].length, match.index + match[0].length + 3)) ||
        (match[2]?.startsWith('的') && whose !== 'self' && !asked(match.index, match.index + match[0].length))
      )
        return
      put('age.born', `born:${year}`, match.index, match.index + match[0].replace(/的$/, '').length, whose)
    },
  },
  // 我1988的
  {
    pattern: /(?:我|本人)(?:是)?((?:19[3-9]|20[01])\d)(?:的|生的?|出生的?)(?=$|[，,。！!~～\s\ue000])/g,
    read({ put }, match) {
      const start = match.index + match[0].indexOf(match[1] as string)
      put('age.born', `born:${match[1]}`, start, start + 4, 'self')
    },
  },
  {
    pattern: /(?:出生年份|出生日期|出生年月|生日|出生于|生于)[是为:：\s]{0,3}((?:19[3-9]|20[01])\d)((?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?!\d)|年?(?!\d))/g,
    read({ put, before }, match) {
      const length = 4 + (match[2] as string).length
      const start = match.index + match[0].length - length
      put('age.born', `born:${match[1]}`, start, start + length, whoseAge(before(match.index)))
    },
  },
  // 28岁
  {
    pattern: new RegExp(`(?<![\\d.零一二三四五六七八九十百第])(?:虚岁|周岁|实岁)?(${number})(?:个?半)?\\s?(?:多)?(?:周岁|岁半?)`, 'g'),
    read({ low, put, pass, before }, match) {
      const value = numberOf(match[1] as string)
      if (value === undefined || value < 1 || value > 110) return
      const start = match.index
      const end = start + match[0].length
      const [left, right] = [before(start), low.slice(end, end + 12)]
      // 我比她大三岁: the years between two.
      if (/(?:大|小|差|长|年轻|老)(?:了|着|个)?$/.test(left) && /比|差|我|他|她/.test(left)) {
        pass(start, end)
        return
      }
      let whose = whoseAge(left)
      const ofChild = /^(?:多|左右|大)?的?(?:孩子|宝宝|小孩|娃|儿子|女儿|小朋友|女孩(?!子?[，,。]?$)|男孩|闺女|小男孩|小女孩|女宝|男宝|儿童)/.test(right)
      if (ofChild && !/我$|我今年$|^(?:的)?(?:女孩|男孩)/.test(left + right)) whose = whose === 'thing' ? 'thing' : 'child'
      if (/^(?:半|多|左右)?的?(?:狗|猫|泰迪|老人|车|房|柯基|布偶)/.test(right)) whose = /^.{0,3}老人/.test(right) ? 'parent' : 'thing'
      const about = whose === 'self' || whose === 'child' || whose === 'parent' || whose === 'partner'
      if (general.test(left.slice(-3)) && !(about && /(?:到|满|快)\s?$/.test(left) && whose === 'self')) {
        pass(start, end)
        return
      }
      if (generalAfter.test(right) || seeming.test(left)) {
        pass(start, end)
        return
      }
      if (
        whose === '' &&
        /^\s?(?:能|可以|可不可以|适合|用|穿|学|吃|喝|玩|怎么|需要|要不要|应该|有没有|的)/.test(right) &&
        !/[，,\s]?(?:女|男)/.test(left.slice(-3))
      ) {
        pass(start, end)
        return
      }
      const beside = /(?:女|男)[\s,，、/生士性]{0,3}$/.test(left) || /^[\s,，、/]{0,2}(?:女|男)/.test(right)
      put(whose === 'self' || beside ? 'age.self' : 'age.bare', String(value), start, end, beside && whose === '' ? 'self' : whose)
    },
  },
  // 老公35我33
  {
    pattern: /(?:老公|老婆|媳妇|爱人|先生|太太|男友|女友|对象)(?:今年|是)?(\d{2})岁?[，,、\s]?我(?:今年|是)?(\d{2})(?=$|岁|了|[，,。！!\s])/g,
    read({ put }, match) {
      const first = match.index + match[0].indexOf(match[1] as string)
      const second = match.index + match[0].length - 2
      put('age.others', match[1] as string, first, first + 2, 'partner')
      put('age.self', match[2] as string, second, second + 2, 'self')
    },
  },
  // 刚满18, and nobody named
  {
    pattern: /刚满(\d{2})(?=$|岁|了|[，,。！!\s])/g,
    read({ low, put, begins }, match) {
      const start = match.index + 2
      if (begins(match.index)) put('age.self', match[1] as string, start, start + 2 + (low[start + 2] === '岁' ? 1 : 0), 'self')
    },
  },
  // 我今年28, 年龄：28, 虚岁30, 我28，女
  {
    pattern: new RegExp(
      `(?:(?:年龄|年纪|岁数)(?:是|为|大概|大约|有|已经)?[\\s:：]{0,2}|(?:今年|虚岁|周岁|实岁|刚满|已经|都)\\s?(?:都|已经|快|刚|刚满|才|是|虚岁|周岁|就)?\\s?)(${number})(?:多)?${unit}`,
      'g',
    ),
    read({ low, put, begins, before }, match) {
      const value = numberOf(match[1] as string)
      const end = match.index + match[0].length
      const start = match.index + match[0].search(new RegExp(`${number}(?:多)?$`))
      if (value === undefined || value > 110 || value < 1 || (value < 10 && !/[\d十]/.test(match[1] as string))) return
      const label = /年龄|年纪|岁数|[虚周实]岁/.test(match[0])
      const whose = whoseAge(before(match.index) + match[0].slice(0, 2))
      if (!label && whose !== 'self' && whose !== 'parent' && whose !== 'child' && whose !== 'partner' && whose !== 'friend') return
      if (!label && /(?:已经|都)/.test(match[0]) && !/今年/.test(match[0]) && !/[我妈爸]/.test(low[match.index - 1] ?? '')) return
      const right = low.slice(end, end + 8)
      if (!label && !low.startsWith('岁', end) && shopDay.test(match[1] as string)) {
        const what = low.slice(end, end + 20)
        const october = /^(?:十一|11)$/.test(match[1] as string)
        // Whose it is has been said, or it is the week in October.
        if (begins(match.index) ? october || onSale.test(what) : october && (onSale.test(what) || holiday.test(what))) return
      }
      if (!/^(?:$|岁|了|[，,。！!？?、；;~～\s)）\ufffd\ue000]|女|男|还|未|啊|哦|呢|吧|的人|想|能|可以|单身|已婚|身高|是不是)/.test(right)) return
      put('age.self', String(value), start, end, whose || 'self')
    },
  },
  {
    pattern: new RegExp(
      `(?:^|[，,。！!？?\\s\\ue000:：])(?:我|本人)(?:是(?:在校|大)?学生)?[\\s,，]?(${number})(?=$|[，,。！!？?、；;~～\\s/]|了|女|男|未婚|已婚|单身|身高|啊|呢)`,
      'g',
    ),
    read({ low, put }, match) {
      const value = numberOf(match[1] as string)
      const end = match.index + match[0].length
      const start = end - (match[1] as string).length
      // 我25了还没发货: whatever that counts.
      if (/^了?(?:还|都|怎么|也)?[没未不](?:见)?(?:发|到|收|退|处理|回)/.test(low.slice(end, end + 8))) return
      if (value !== undefined && value >= 10 && value <= 99 && (low[end] === '了' || !measured(low, start, end)))
        put('age.self', String(value), start, end, 'self', 0.95)
    },
  },
  ...subjects.flatMap(([whose, pattern]): Way[] =>
    whose === 'self' || whose === 'thing'
      ? []
      : [
          {
            pattern,
            read({ low, put, before }, match) {
              const after = /^(?:今年|都|已经|快|刚|，|,|是|虚岁)?(\d{2}|[二三四五六七八九]十[一二三四五六七八九]?)(?:了|(?=[，,。！!\s]|$))/.exec(
                low.slice(match.index + match[0].length, match.index + match[0].length + 10),
              )
              const value = after && numberOf(after[1] as string)
              if (!after || value === undefined || value === null || value > 110) return
              // 我是学生，20
              if (whoseAge(before(match.index + match[0].length)) === 'self') return
              if (!/我|家|给|^$/.test(low.slice(Math.max(0, match.index - 4), match.index))) return
              const start = match.index + match[0].length + after[0].indexOf(after[1] as string)
              if (goods.test(low.slice(start, start + 14).replace(/[。！!？?\n\ue000].*/s, ''))) return
              put('age.others', String(value), start, start + (after[1] as string).length, whose)
            },
          },
        ],
  ),
  // 给我妈买，她65
  {
    pattern: /(?:她|他)(?:今年|都|已经|现在|快)?(\d{2})(?=$|了|[，,。！!\s])/g,
    read({ put, before }, match) {
      const whose = whoseAge(before(match.index))
      const start = match.index + match[0].length - 2
      if (whose !== '' && whose !== 'self') put('age.others', match[1] as string, start, start + 2, whose)
    },
  },
  // 女，28 · 28 女
  {
    pattern:
      /(?:^|[\s,，。、;；/:：\ue000]|本人|性别|我是|我)(?:女|男)(?:生|士|性|的)?[\s,，、/]{0,2}(\d{2})(?=$|[\s,，。、;；/!！]|岁|了|[未已]婚|单身|离异)/g,
    read({ pair }, match) {
      const start = match.index + match[0].length - 2
      pair(match.index, match[0], match[1] as string, start)
    },
  },
  {
    pattern: /(?:^|[\s,，。、;；/:：\ue000])(\d{2})[\s,，、/]{0,2}(?:女|男)(?=$|[\s,，。、;；/!！]|性|生|士)/g,
    read({ pair }, match) {
      pair(match.index, match[0], match[1] as string, match.index + match[0].indexOf(match[1] as string))
    },
  },
]

export function findAge(reading: Reading): void {
  const page = new Page(reading)
  for (const { pattern, read } of ways) for (const match of page.low.matchAll(pattern)) read(page, match)
}

const female =
  '新手妈妈|女生|女的|女孩子|女孩|女士|女性|女人|小姐姐|妹子|姑娘|宝妈|孕妇|准妈妈|单亲妈妈|全职妈妈|妈妈|女学生|女大学生|家庭主妇|大姐|阿姨|女同志|女(?![性士生人孩子团神])'
const male =
  '新手爸爸|男生|男的|男孩子|男孩|男士|男性|男人|小哥哥|大老爷们儿?|大男人|汉子|宝爸|奶爸|爸爸|小伙子?|大叔|男学生|男同志|糙汉|老爷们|男(?![性士生人孩子团神])'
/** Who says so of a shop, a dormitory or a group is of it, and of no sex; what follows a verb is another matter. */
const trade =
  /^[^，,。！!？?；;\s\ue000想要能可会有也都不没怎该穿去来是就但平第刚]{0,10}?(?:店|铺|用品|护肤|内衣|服装|代理|代购|批发|经销|厂|公司|品牌|平台|医院|专科|门诊|诊所|馆|健身房|宿舍|寝室|学校|工作室|群|网站|论坛|热线|食堂|科(?:医生|大夫|护士|室|的)|街|节|频道|杂志|俱乐部|协会|球队|机构|美容|美发|养生|会所|专区|部的|摄影|专柜|柜台|行业|生意|加盟|果园|粉丝|枕)/
/** 我是妈妈帮我买的: who bought it. Only who stops there speaks of themselves. */
const relative = /^(?:妈妈|爸爸|大姐|小姐姐|小哥哥|宝妈|宝爸|妹子|姑娘|小伙子?)$/
const broughtBy = /^[她他]?(?:妈|爸|家(?=$|[，,。的]))|^(?:们|群)?(?:推荐|介绍)(?:来|过|给|我|的)/
const none = '(?![装包鞋款友朋方士婴宝科儿婿团神]|用(?![什哪这那起了过可会能]))'

interface GenderWay {
  rule: string
  pattern: RegExp
  normal: 'female' | 'male'
  /** Which group of the pattern says it. */
  group: number
  check?: ((match: RegExpExecArray, low: string) => boolean) | undefined
}

/** Made once: there are dozens, and every message is read by all of them. */
const genderWays: readonly GenderWay[] = waysOfGender()

export function findGender(reading: Reading): void {
  const { low } = reading.shadow
  for (const { rule, pattern, normal, group, check } of genderWays)
    for (const match of low.matchAll(pattern)) {
      if (check && !check(match, low)) continue
      const phrase = match[group] as string
      const start = match.index + match[0].lastIndexOf(phrase)
      find(reading, rule, { normal, start, end: start + phrase.length })
    }
}

function waysOfGender(): GenderWay[] {
  const all: GenderWay[] = []
  const put = (rule: string, pattern: RegExp, normal: GenderWay['normal'], group = 1, check?: GenderWay['check']) =>
    all.push({ rule, pattern, normal, group, check })
  for (const [normal, wordsOf, sign] of [
    ['female', female, '女'],
    ['male', male, '男'],
  ] as const) {
    // 我是女生, 本人女, 我一个大男人
    put(
      'gender.stated',
      new RegExp(
        `(?:我|本人|俺|自己)(?:就|也|呢|可|其实|本身)?(?:是一?[个名位枚]?|一[个名位枚]|一)(?:普通|年轻|单身|中年|90后|95后|00后|80后|\\d{2}岁的?)?的?(${wordsOf})${none}`,
        'g',
      ),
      normal,
      1,
      (match, low) => {
        const end = match.index + match[0].length
        return (
          !/^(?:的?(?:朋友|老公|老婆|家属|同事|妈妈|爸爸|女儿|儿子|助理)|还是|是女|吗)/.test(low.slice(end, end + 6)) &&
          low[match.index - 1] !== '不' &&
          !/^的/.test(low.slice(end).replace(/^的(?=[，,。！!？?\s]|$)/, '')) &&
          !/(?:阿姨|大姐|大叔)$/.test(match[1] as string) &&
          !trade.test(low.slice(end, end + 16)) &&
          !broughtBy.test(low.slice(end, end + 6)) &&
          !(relative.test(match[1] as string) && /^们?(?:帮|给|替|让|叫|拉|带|买|送|说|陪|请|告诉|推|介|教|订|下单|付|转|群)/.test(low.slice(end, end + 4)))
        )
      },
    )
    // 女生一枚, 00后女生一枚
    put('gender.stated', new RegExp(`(?:^|[，,。！!\\s\\ue000后岁])(${wordsOf})一[枚名只](?=$|[，,。！!~～\\s])`, 'g'), normal)
    put('gender.stated', new RegExp(`(?:本人|性别)[\\s,，:：是为]{0,3}(${sign}(?:性|生|士|的)?)(?=$|[\\s,，。、;；/!！)）]|\\d)`, 'g'), normal)
    // 我女的 · 我姓王，女
    put(
      'gender.stated',
      new RegExp(
        `(?:(?:^|[\\s,，。、;；!！\\ue000])我|(?:我姓|免贵姓|我叫)[\\u4e00-\\u9fa5]{1,3}[\\s,，])(${sign}(?:性|生|士|的)?)(?=$|[\\s,，。;；!！\\ue000])`,
        'g',
      ),
      normal,
    )
    // 28岁女 · 女，28 · a line that says only 女
    put(
      'gender.stated',
      new RegExp(`(?:^|我|[\\s,，。、;；/:：\\ue000])(${sign}(?:性|生|士|的)?)[\\s,，、/]{0,2}(?:\\d{2}(?!\\d|码|号|元|块|[.:：])|[二三四五六七八九]十)`, 'g'),
      normal,
      1,
      (match, low) => {
        const end = match.index + match[0].length
        return selfOnly(low, match.index) && (/^[一二三四五六七八九]?岁/.test(low.slice(end, end + 2)) || !measured(low, match.index + leadOf(match[0]), end))
      },
    )
    put(
      'gender.stated',
      new RegExp(`(?:\\d|十[一二三四五六七八九]?)(?:周?岁)?了?[\\s,，、/]{0,2}(${sign}(?:性|生|士|的)?)(?=$|[\\s,，。、;；/!！]|未婚|已婚)`, 'g'),
      normal,
      1,
      (match, low) =>
        selfOnly(low, match.index) && /岁|^\d/.test(match[0]) && !/[款码号]/.test(match[0]) && (/岁/.test(match[0]) || afterNumber(low, match.index, match[0])),
    )
    put('gender.stated', new RegExp(`(?:^|[\\n\\ue000])\\s?(${sign}(?:的|生|士|性)?)[。.!！~～]?(?=$|[\\n\\ue000])`, 'g'), normal)
  }
  // 叫我王女士, 我姓李，女士
  const title = (names: string) =>
    new RegExp(
      `(?:我姓|我是|叫我|喊我|称呼我|免贵姓|本人姓|敝姓|我叫|鄙人姓)[\\u4e00-\\u9fa5]{0,3}?[,，]?((?:${names}))(?=$|[\\s,，。、;；/!！)）(（\\d]|就|即可|吧|啊|呀|哈|好|电话|手机|，)`,
      'g',
    )
  put('gender.title', title('女士|小姐|阿姨|大姐|太太|姐'), 'female')
  put('gender.title', title('先生|大叔|叔叔|大哥|哥'), 'male')
  // 免贵姓李，李先生
  for (const [names, normal] of [
    ['女士|小姐|太太', 'female'],
    ['先生', 'male'],
  ] as const)
    put(
      'gender.title',
      new RegExp(`(?:免贵姓|敝姓|我姓|本人姓|鄙姓)([\\u4e00-\\u9fa5]{1,2})[，,\\s](?:我是|叫我)?\\1(${names})(?=$|[，,。！!\\s])`, 'g'),
      normal,
      2,
    )
  put('gender.implied', /(?:^|[，,。\s])(老公)(?:今年|是)?\d{2}岁?[，,、\s]?我/g, 'female')
  put('gender.implied', /(?:^|[，,。\s])(老婆|媳妇)(?:今年|是)?\d{2}岁?[，,、\s]?我/g, 'male')
  put('gender.implied', /我(?:刚刚?|才)?(生完孩子|生完(?=$|[，,。\s])|剖腹产|剖宫产)/g, 'female')
  // 我老公: by convention, so only offered.
  const implied = (names: string) => new RegExp(`(?:^|[^给帮和跟让叫问你])我(?:家)?(?:的)?((?:${names}))(?!家|的?朋友)`, 'g')
  put('gender.implied', /我(?:家)?((?:老公|男朋友|男友|未婚夫))/g, 'female')
  put('gender.implied', /我(?:家)?((?:老婆|媳妇|女朋友|女友|太太|未婚妻|丈母娘|岳母|岳父))/g, 'male')
  put('gender.implied', implied('大姨妈|月经|例假|生理期|怀孕|孕期|怀上|怀着|孕\\d+周|产后|剖腹产|剖宫产|哺乳期|坐月子'), 'female')
  put('gender.implied', /我(?:现在|目前|刚|都|正在|已经|这)*((?:怀孕|怀着|孕期|孕\d+周|坐月子|哺乳期?|来(?:大姨妈|例假|月经)))/g, 'female')
  put('gender.implied', implied('前列腺|包皮|胡子|胡茬'), 'male')
  return all
}

/** What was taken along before the pair begins. */
const leadOf = (said: string): number => /^(?:本人|性别|我是|[^\d女男])*/.exec(said)?.[0].length ?? 0

/** A sex after a number: after two digits, as an age has, or after a longer one (a telephone, a year), and not where measures are. */
function afterNumber(low: string, last: number, said: string): boolean {
  const digits = /[\d.~～到至-]*$/.exec(low.slice(Math.max(0, last - 12), last + 1))?.[0] ?? ''
  if (/^\d$|^\d{3}$|^\d{1,3}[.~～到至-]\d{1,3}$/.test(digits)) return false
  return digits.length > 2 || !measured(low, last + 1 - digits.length, last + said.length)
}

/** `女鞋 38`, `给女儿，6岁女`: the girl or the shoe, not the customer. */
function selfOnly(low: string, at: number): boolean {
  const whose = whoseAge(low.slice(Math.max(0, at - reach), at + 1))
  return whose === '' || whose === 'self'
}
