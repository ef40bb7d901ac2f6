/**
 * What the reader of contacts knows, as data: the words that announce a kind, those that announce something else, and the
 * signs that stand for digits. Nothing here is code.
 */

/** What a word nearby announces; `not`: something that is no contact, `theirs`: somebody else's. */
export type Topic = 'phone' | 'landline' | 'wechat' | 'wechat-weak' | 'qq' | 'email' | 'not' | 'theirs'

const split = (words: string): string[] => words.trim().split(/\s+/)

/** Compared in lower case, across separators (`v . x`, `微 信`). */
export const words: Record<Topic, readonly string[]> = {
  phone: split(`
    电话 手机 手机号 号码 电话号码 手机号码 联系方式 联系电话 联系我 联系 打给我 打我 拨打 拨 致电 回电 来电 回拨 短信 呼我 电联 叫我 预留 留个号 留号 手鸡 手機 電話 电H 电hua dianhua shouji
    tel phone mobile call dh sj 电☎ 打这个 通知我 call我 热线 客户号码 用户号码 商户号码 住户号码 手机编号 手机编码 电话编号 电话编码`),
  landline: split('座机 固话 固定电话 办公电话 单位电话 家里电话 传真'),
  wechat: split(`
    微信 微信号 微信id 微信账号 威信 维信 薇信 徽信 围信 魏信 伟信 嶶信 溦信 薇芯 微芯 威芯 薇xin 微x 薇x 威x v信 w信 v芯 vx v❤ 微❤ 薇❤ v♥ 微♥ 薇♥ 微心 薇心 威心 v心 wx weixin wechat weix 胃信 微号 薇号 微讯 唯信 蔚信 卫芯 未信 巍信
    加v 加微 加薇 加威 加w +v +微 +薇 +w 绿泡泡 绿色软件 小绿 绿色聊天软件 wei信 威xin 薇xin 微xin vxin 薇我 微我 v我 同微 同v 微同 v同 加卫星`),
  'wechat-weak': split('卫星 微 薇 v w 威 wei'),
  qq: split('qq q 加我q q号 扣扣 抠抠 球球 企鹅 企鹅号 加q +q 叩叩 秋秋 扣号 qq号 口口 蔻蔻 扣'),
  email: split('邮箱 邮件 email mail e-mail 电子邮箱 邮址 伊妹儿 油箱 邮'),
  not: split(`
    单号 订单号 订单编号 订单号码 运单号码 快递号码 发票号码 证件号码 身份证号码 银行卡号码 卡号码 会员号码 订单 运单 运单号 快递单号 物流单号 物流号 快递号 编号 型号 身份证 身份证号 证件号 证号 卡号 银行卡 银行卡号 储蓄卡 信用卡 账号 帐号 账户 验证码 校验码 动态码 取件码 取货码 提货码 核销码 券码 兑换码 优惠码 优惠券 邀请码 激活码 序列号 sn码 sn imei
    流水号 交易号 交易单号 支付单号 商户单号 学号 工号 会员号 会员卡 会员卡号 发票号 发票代码 税号 信用代码 货号 款号 条码 条形码 商品id 商品编号 产品编号 车架号 车牌 合同号 保单号 病历号 就诊号 挂号单 挂号 门诊号 住院号 尾号 批号 批次 批准文号 国药准字 许可证 版本 版本号 房号 门牌 邮编
    价格 金额 余额 密码 时间戳 时间 日期 链接 网址 坐标 经纬度 ip 群号 qq群 微信群 群 房间号 桌号 档案号 考号 准考证 准考证号 案件号 工单号 工单 售后单 退款单 退款编号 票号 航班 机号 设备号 机器码 id 用户id uid 抖音号 快手号 小红书号 小红书 抖音 快手 淘宝 旺旺 旺旺号 公众号 视频号 微博 支付宝 tracking order
    户号 编码 票据号 凭证号 收据号 回执号 包裹号 面单号 追踪号 跟踪号 追踪码 查询码 溯源码 追溯码 防伪码 防伪号 识别码 串号 串码 机身号 机身码 出厂号 参考号 受理号 备案号 护照号 社保号 医保号 电表号 水表号 气表号 服务单 报修单 维修单 退货单 换货单
    取餐号 取餐码 取票号 取票码 取号码 排队号 卡密 提单号 集装箱号
    trackingnumber trackingno trackingid trackingcode waybill waybillnumber waybillno parcelnumber parcelno parcelid packagenumber packageno shipmentnumber shipmentno shipmentid consignmentnumber reference referencenumber referenceno referencecode refno
    ordernumber orderno orderid bookingnumber bookingno bookingreference confirmationnumber confirmationcode invoicenumber invoiceno receiptnumber receiptno serialnumber serialno ticketnumber ticketno casenumber caseno membernumber memberid accountnumber accountno barcode sku awb`),
  theirs: split(`
    你们 贵店 贵司 贵公司 你家 你们家 你们店 店里 店铺 商家 客服 客服电话 官方 官网 快递员 快递小哥 快递 骑手 外卖员 师傅 司机 前台 物业 中介 销售 医生 老师 学校 医院 平台 网上 查到 骗子 诈骗 陌生 对方 别人 卖家 厂家 厂商 品牌方 物流 顺丰 中通 圆通 韵达 申通 京东 派件员 派送员 站点 菜鸟 驿站 投诉 举报 报警`),
}

/** What follows a word and takes its meaning away: `微信支付`, `QQ群`, `邮箱地址是多少`. */
export const spoilers: Partial<Record<Topic, readonly string[]>> = {
  wechat: split(
    '支付 付款 付 转账 转 群 公众号 公总号 小程序 扫码 扫 红包 钱包 聊天 里 上 视频 客服 读书 收款 零钱 朋友圈 发 登录 登陆 授权 认证 绑定 电脑 版本 运动 pay 团购 头像 封 商城 店 服务号 二维码',
  ),
  qq: split('群 音乐 糖 会员 飞车 空间 浏览器 农场 游戏 登录 登陆 邮箱 表情 聊天 堂 弹 华夏 三国 炫舞 阅读 看点'),
  'wechat-weak': split('领 波 博 笑 商 单 距 型 店 量 小 辣 甜 服 调 整 观 弱 风 妙 创'),
}

/** What sounds or looks like a digit; believed only between real ones. */
export const alike: Readonly<Record<string, string>> = {
  o: '0',
  O: '0',
  Q: '0',
  D: '0',
  '○': '0',
  '◯': '0',
  l: '1',
  I: '1',
  i: '1',
  '|': '1',
  '!': '1',
  S: '5',
  s: '5',
  B: '8',
  b: '6',
  Z: '2',
  z: '2',
  洞: '0',
  动: '0',
  领: '0',
  铃: '0',
  灵: '0',
  林: '0',
  令: '0',
  邻: '0',
  另: '0',
  圈: '0',
  腰: '1',
  妖: '1',
  么: '1',
  要: '1',
  吆: '1',
  衣: '1',
  医: '1',
  依: '1',
  伊: '1',
  尔: '2',
  儿: '2',
  而: '2',
  耳: '2',
  两: '2',
  俩: '2',
  散: '3',
  伞: '3',
  仨: '3',
  山: '3',
  司: '4',
  思: '4',
  死: '4',
  寺: '4',
  是: '4',
  舞: '5',
  吴: '5',
  午: '5',
  武: '5',
  物: '5',
  无: '5',
  溜: '6',
  刘: '6',
  流: '6',
  留: '6',
  柳: '6',
  拐: '7',
  期: '7',
  妻: '7',
  漆: '7',
  起: '7',
  气: '7',
  吧: '8',
  巴: '8',
  爸: '8',
  扒: '8',
  芭: '8',
  勾: '9',
  久: '9',
  酒: '9',
  就: '9',
  旧: '9',
  救: '9',
}

/** Plain digits of whatever dress. Positional words (十 百 千 万) are none. */
export const digits: Readonly<Record<string, string>> = {
  ...Object.fromEntries([...'0123456789'].map((digit) => [digit, digit])),
  零: '0',
  〇: '0',
  一: '1',
  壹: '1',
  幺: '1',
  弌: '1',
  二: '2',
  贰: '2',
  弍: '2',
  貳: '2',
  三: '3',
  叁: '3',
  弎: '3',
  參: '3',
  四: '4',
  肆: '4',
  五: '5',
  伍: '5',
  六: '6',
  陆: '6',
  陸: '6',
  七: '7',
  柒: '7',
  八: '8',
  捌: '8',
  九: '9',
  玖: '9',
}
