/**
 * Where a text names a person: behind a word that says so, or directly before a telephone number, as in an address. There
 * a Chinese name is two to four signs that begin with a surname and end where the words do. Every pattern is bounded.
 */
import type { Put } from './mask-contacts.ts'

const surnames =
  '赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许何吕施张孔曹严华金魏陶姜戚谢邹喻柏窦章苏潘葛范彭郎鲁韦马苗方俞任袁柳酆鲍史唐费廉岑薛雷贺倪汤滕殷罗毕郝邬安常乐于傅皮卞齐康伍余元卜顾孟黄穆萧尹姚邵汪祁毛禹狄贝臧戴宋庞熊纪舒屈项祝董梁杜阮蓝闵季贾路娄江童颜郭梅盛林刁钟徐邱骆高夏蔡田樊胡凌霍虞万柯管卢莫房丁宣邓洪包左石崔吉龚程邢裴陆翁荀甄曲封储靳焦侯宓班秋宫宁仇栾甘厉祖武符刘景詹束龙叶司黎乔苍闻党翟谭劳申冉桑桂濮牛寿边燕冀尚农温庄晏柴瞿阎习艾鱼容向古易戈廖庾终耿满匡国文寇广欧沃利蔚越隆师巩聂晁敖融冷辛阚简饶曾沙丰关查游岳帅缑仉涂肖佟邝鄢覃卓蓬池仲蒲阳付代闫单谷'
const compound = '欧阳|司马|上官|诸葛|东方|皇甫|尉迟|公孙|令狐|慕容|司徒|夏侯|端木|独孤|南宫|长孙|宇文|轩辕|百里|东郭'
/** No name holds these signs of everyday sentences. */
const sign = '(?:(?![打电话号码这那你我他她它请给是的了吗呢么个们])\\p{Script=Han})'
const name = `(?:(?:${compound})${sign}{1,2}|[${surnames}]${sign}{1,2})`
/** Where a name ends, and who speaks may sigh. */
const end = '(?=[啊呀哈哦]?(?:$|[^\\p{Script=Han}a-z]))'
/** Begin like a name and are none: 我是程序员, 周五 138…, 马上 138…. */
const others = new RegExp(
  `^(?:${[
    '\\p{Script=Han}{1,3}[人员客者店户]',
    '[高安大初][一二三中级]\\p{Script=Han}?',
    '周[一二三四五六日末]\\p{Script=Han}?',
    '(?:马上|方便|方式|方案|常用|常客|常年|关于|白天|白领|平时|应急|应该|安排|安全|安徽|成都|成人|成年|江苏|江西|江门|万一|万分|于是|任何|任意|时间|单位|单身|单亲|单独|公司)\\p{Script=Han}{0,2}',
    '(?:金额|金卡|金牌|温州|温馨|宁波|宁夏|广东|广西|广州|云南|路上|路过|包裹|包邮|包括|余额|车上|车主|房东|房子|司机|师傅|国内|国外|国庆|文员|文件|管理|管家|农民|农村)\\p{Script=Han}{0,2}',
    '(?:满意|利用|容易|越来|黄金|黄牛|简单|华为|程序|向上|易过|易碎|边上|牛奶|石家|乐意|祖籍|班主|班长|秋天|夏天|左边|左右|武汉|康复|查询|顾问|顾客|代购|代理|阳台|曲线|游客|沙发|尚未|终于)\\p{Script=Han}{0,2}',
    '(?:国家|单号|毛重|金色|高兴|高峰|乐于|习惯|向您|向来|从来|钱款|钱数|都是|贝贝|宝贝|水果|花费|全部|别的|海外|车间|经常|经理|老师|家里)\\p{Script=Han}{0,2}',
  ].join('|')})$`,
  'u',
)

const patterns: readonly RegExp[] = [
  // 我是王小明, 我的名字叫王小明, 姓名王小明
  new RegExp(`((?:我叫|我是|本人是?|叫我|(?:名字|姓名|联系人|收件人|收货人|户名)\\s{0,2}(?:[:=]|是|叫|为)?)\\s{0,2})(${name})${end}`, 'giu'),
  // 王小明 13800138000
  new RegExp(
    `(?<=^|[^\\p{Script=Han}]|[号室楼栋座幢层元户店厅收])(${name})(?=[\\s,，:：、(（]{0,3}(?:\\+?86[\\s-]?)?(?:1[3-9]\\d(?:[\\s-]?\\d{4}){2}|0\\d{2,3}[\\s-]?\\d{7,8})(?!\\d))`,
    'gu',
  ),
]
const english =
  /my name(?:\s{1,2}is|['’]s)\s{1,2}(?!(?:on|not|in|at|the|an?|to|from|wrong|spelled|missing|still|already|here|there)\b)([a-z]{2,20}(?:[ -](?!(?:and|i|im|from|but|here|please|my|the|with|can|could|would|want)\b)[a-z]{1,20}){0,2})/giu

const introduced = /(?:\b(?:[Ii] am|[Ii]['’]m|[Tt]his is)\s{1,2})([A-Z][a-z]{1,20}(?:[ -][A-Z][a-z]{0,20}){0,2})(?![a-z])/g
/** 我姓王: of a surname nothing is left. */
const surname = new RegExp(`(?:(?:我|本人|鄙人|敝|免贵|鄙)姓\\s{0,2})(${compound}|[${surnames}])(?!名)`, 'gu')

/** @param text with what is full width made plain */
export function starNames(text: string, put: Put): void {
  for (const found of text.matchAll(surname)) put(found.index + found[0].length - (found[1] as string).length, found.index + found[0].length)
  for (const pattern of [...patterns, english, introduced])
    for (const found of text.matchAll(pattern)) {
      const said = found.at(-1) as string
      const stop = found.index + found[0].length
      if (!others.test(said)) put(stop - said.length + 1, stop)
    }
}
