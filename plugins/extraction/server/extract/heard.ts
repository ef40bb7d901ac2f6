/**
 * What is said of a number, an account or a box around it. One that rang or did not answer, that a colleague gave, that stood
 * on a page, that has been written to: whoever speaks of it so does not speak of their own.
 */

/** Between what says whose it is and the value. */
export const thing = '(?:手机号?|电话号?|号码?|微信号?|薇信|vx|wx|v信|v|qq号?|扣扣|邮箱|号|账号|那个|这个|[\\s：:是])'

const before = [
  /(?:接到|接了(?=[个一])|收到(?=[个一]|来自|自称)|来自|来电(?:显示|号码|的?是)|显示(?:的?是|的?号码)?)(?:了|过|[个一条]|你们|客服|陌生|诈骗|骚扰|推销|人|自称|号码|电话|短信|的|是|为|用|[：:\s])*$/,
  /(?:有[个位]?人(?![在吗能可帮知会回吧没])|有一个人|有[个一位]{0,2}(?:陌生人|骗子|自称)|加了(?=[个一])|一个叫)[^，,]{0,10}$/,
  new RegExp(`(?:诈骗|骚扰|骗子|陌生|推销|可疑|冒充)[^，,]{0,4}?的?${thing}{0,3}$`),
  new RegExp(`(?:谁的${thing}{0,3}|给我(?:打|发)[^，,]{0,4}的${thing}{1,4})$`),
  new RegExp(
    `(?<!(?:请|麻烦|可以|能|帮|让|叫)[^，,]{0,4})(?:客服|你们|店家|[卖商]家|销售|师傅|快递员?|顾问|经理|前台|中介|小二)[^，,我请]{0,6}(?:给|推|留|发|报|告诉)(?:给)?我[的了](?:这个|那个)?${thing}{0,4}$`,
  ),
  new RegExp(`(?:师傅|客服|快递员?|销售|经理|店员|中介)[^，,我]{0,4}(?:给|留)的${thing}{0,4}$`),
  new RegExp(
    `(?:页面?|官网|网[站页上]|广告|海报|朋友圈|群里|包装|盒子|瓶身|快递单|面单|包裹|名片|公告|公众号|店铺|主页|简介|视频|直播间?|说明书)[上里中]?面?(?:写|看到|留|贴|印|发|显示|挂|公布|标|登|给)?(?:着|了|出来)?的${thing}{0,4}$`,
  ),
  new RegExp(`(?<![未没请再能先])(?:拨打|打|拨|联系|添加|加)(?:了|过)(?:你们|客服|店里|[一两三几好]{1,2}[次遍])?的?${thing}{0,4}$`),
  new RegExp(`(?:我|一直|多次|反复|天天|刚才?)(?:再|又|去|在)?(?:拨打?|打)(?:你们|客服)?的?${thing}{0,4}$`),
  new RegExp(`(?:之前|上次|昨天|前天)(?:加|添加|联系|沟通|聊)过?的${thing}{0,4}$`),
  /(?<![给帮为替请跟和向让])我(?:已经?|刚|刚才|刚刚|昨天|今天|前天|上周|之前)?(?:把[^，,]{1,8})?(?:发|写|投)(?:送|了|过|信|邮件|简历|资料|材料|申请)*(?:到|给|至)(?:你们|官方|贵司)?的?(?:邮箱)?[\s：:]*$/,
  /\b(?:called|dialed|dialled|rang|tried|(?:call|calls|text|texts|message|messages|sms|mail|e-?mail) from|wrote to|written to|e-?mailed|added)(?: (?:your|the|a|this|that|number|line|wechat|account|named|called|support|at|by|on))* $/,
]
const idle = '(?:一直|总是?|老是?|天天|刚才|今天|昨天|又|都|还|怎么|根本|也|好几次|几次|\\s){0,4}'
/** 打不通就打另一个: that is one's own. */
const unless = '(?!的?话|就|请|可以|时|再|也)'
const after = [
  new RegExp(
    `^\\s?的?(?:这个|那个)?(?:号码?|电话|手机|微信|人)?(?:${idle}(?:没接|拒接|不接(?!骚扰|陌生|推销|广告)|没通过|不通过|没回|不回)|[，,]?${idle}(?:打不[通进了]|没人(?:接|$|[，,。！!?？])|无人接|没有人接|联系不上|关机|(?:提示|说)?是?空号|占线|忙音|加不[上了]|添加不了|搜不到|没人回|没反应|被退|退信))${unless}`,
  ),
  /^\s?(?:打|拨)[过了](?!来)/,
  /^[^，,。！!？?\n]{0,6}(?:是不是|是)(?:你们|贵|你家|谁|客服|快递|官方|骗子|诈骗|真的|假的)/,
  /^[^，,。！!？?\n\d]{0,8}(?:骚扰|冒充|自称|骗我|把我|说(?:是|已|我|要|你们|他|她|可以退|能退|的是)|加了我|打来|打过来(?:的|说|了)|(?:的|发来的?)(?:短信|来电))/,
  /^\s?(?:那边|那位|那个?(?:客服|人|师傅|小哥|老师|销售|美女|帅哥))/,
  /^\s?(?:给我)?发(?:来|给我|过来)(?!吧|就|行|可)/,
  /^ (?:called|texted|rang|keeps calling|(?:does|did)(?: not|n['’]t) (?:answer|reply|work)|is not (?:answering|reachable)|nobody answer|no one answer)/,
]
/** Both sides say it together: 跟…说过, 从…发的, 收到…的邮件, 发到…了, where 了吗 asks whether it has come. */
const around: readonly (readonly [before: RegExp, after: RegExp])[] = [
  [/(?:跟|和|同|问|找|已经?联系)(?:微信|qq|电话)?\s?$/, /^\s?(?:说|沟通|聊|联系|谈|反映|确认)[过了]/],
  [/(?:从|由)\s?$/, /^\s?(?:发|打|寄|来)/],
  [/收到(?:了|过)?\s?$/, /^\s?(?:的|发来?的?)(?:邮件|短信|信息|消息|来电|电话|回复)/],
  [/(?:发|写|寄|投)[^，,]{0,8}(?:到|给|至)[^，,]{0,6}$/, /^\s?了(?![吗没么])/],
  [/(?<!请|麻烦)给(?:你们)?\s?$/, /^\s?(?:写|发)(?:了|过)/],
]

/** `给我打电话` behind a number asks for a call, or tells of one. */
const callsMe =
  /^(?:这个?)?(?:号码?|电话|手机)?[^，,。！!？?\n\d]{0,6}?(?:打(?:了|过)?(?:个|几个|好几个|很多)?电话给我|打给我|给我(?:打|发|来)|联系我|加我|找我)[^，,。！!？?\n]{0,8}/
const asksFor = /请|麻烦|可以|方便|帮|尽快|有空|记得|直接|能不能|下班|用/
const tells = /刚才|刚刚|昨天|前天|今早|昨晚|那天|有人|有个|你们|一直|[老总]是?给|不停|频繁|怎么|为什么/
const toldOf = /打给我(?=说|的|了|过|要|问|让|推销)|[了过]|说|问|的$|短信|信息/
const leaving = new RegExp(`(?:注销|销户|解绑|换掉)(?:了|掉|一下)?(?:我的?)?${thing}{0,4}$`)
/** It has been said to be one's own. */
const mine = new RegExp(`(?<!(?:给|发|推|告诉))(?:我|本人|俺|自己|my)(?:自己|这边)?的?\\s?${thing}{1,5}$`)

/**
 * Somebody else's, `?` where that is not sure, or nothing.
 * @param clause what stands before it without a pause
 * @param right what stands behind it
 * @param others an admin's words that speak of others
 */
export function heard(clause: string, right: string, others: readonly string[]): 'other' | '?' | '' {
  if (mine.test(clause)) return ''
  const near = `${clause}\ue000${/^[^，,。！!？?；;\n\ue000]*/.exec(right)?.[0] ?? ''}`
  if (others.some((word) => near.includes(word))) return 'other'
  if (before.some((pattern) => pattern.test(clause)) || after.some((pattern) => pattern.test(right))) return 'other'
  if (around.some(([left, behind]) => left.test(clause) && behind.test(right))) return 'other'
  const calls = callsMe.exec(right)?.[0]
  if (calls !== undefined && !asksFor.test(calls) && !asksFor.test(clause)) {
    if (tells.test(clause + calls) || toldOf.test(calls)) return 'other'
    if (/^(?:打|给我)/.test(calls)) return '?'
  }
  return leaving.test(clause) ? '?' : ''
}
