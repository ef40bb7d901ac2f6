import assert from 'node:assert/strict'
import { test } from 'node:test'
import { buildAbility } from './ability.ts'
import { maskHtml } from './mask-html.ts'
import { maskCut, maskDeep, maskSaid, maskText } from './mask-text.ts'

const facts = { id: 'a', departmentId: null, treeIds: [], owner: false }
const nobody = buildAbility(facts, [])
const owner = buildAbility({ ...facts, owner: true }, [])
const sees = (...fields: string[]) => buildAbility(facts, [{ permission: 'contact.personal', fields }])

const cases: [text: string, shown: string][] = [
  ['我的手机是13812345678，下午打', '我的手机是138****5678，下午打'],
  ['138 1234 5678', '138 **** 5678'],
  ['+86-138-1234-5678', '+86-138-****-5678'],
  ['１３８１２３４５６７８', '１３８****５６７８'],
  ['一三六 5555 八八八八', '一三六 **** 八八八八'],
  ['0571-88990011', '0571-****0011'],
  ['电话：8899 0011', '电话：88** **11'],
  ['+1 415 555 2671', '+1 4** *** 2671'],
  ['13812345678 13987654321', '138****5678 139****4321'],
  ['写到 alice.wang@example.com 吧', '写到 a*********@example.com 吧'],
  ['微信：alice_w88', '微信：al*******'],
  ['加v alice88', '加v al*****'],
  ['my wechat is alice-w', 'my wechat is al*****'],
  ['QQ号 123456789', 'QQ号 12*******'],
  ['110101199003071234', '110*************34'],
  ['11010119900307123X', '110*************3X'],
  ['加薇 lucky-cat99 细聊', '加薇 lu********* 细聊'],
  ['liujia0418，我微信', 'li********，我微信'],
  ['V❤：moon_light520', 'V❤：mo***********'],
  ['微信 a b c 1 2 3 4 5', '微信 a b * * * * * *'],
  ['①⑦⑦⓪①②③④⑤⑥⑦ 这是我号码', '①⑦⑦****④⑤⑥⑦ 这是我号码'],
  ['1️⃣8️⃣6️⃣0️⃣0️⃣1️⃣2️⃣3️⃣4️⃣5️⃣6️⃣', `1️⃣8️⃣6️⃣${'*'.repeat(12)}3️⃣4️⃣5️⃣6️⃣`],
  ['妖三八零零妖三八零零零', '妖三八****零零零'.replace('****零', '****八零')],
  ['我电话138\n0013\n8000', '我电话138\n****\n8000'],
  ['固话零二零 八八三三 二二一一', '固话零二* **** 二二一一'],
  ['zhaomin2020（at）gmail点com', 'z**********（at）gmail点com'],
  ['加q一〇二四五六七八九', '加q一〇*******'],
  ['备用 13700137001/13600136002', '备用 137****7001/136****6002'],
  ['电话腰三八洞洞腰三八洞洞洞', '电话腰三八****八洞洞洞'],
  ['腰三拐洞洞腰三拐洞洞洞', '腰三拐****拐洞洞洞'],
  ['扣扣和微信一样，123456789', '扣扣和微信一样，12*******'],
  ['zhang san @ 163 . com', 'z******** @ 163 . com'],
  ['6222 0212 3456 7894', '**** **** **** 7894'],
  ['收件人：王小明', '收件人：王**'],
  ['地址：杭州市西湖区文三路88号', `地址：${'*'.repeat(12)}`],
  ['文三路 88号3栋501室见', '文三路 *********见'],
  ['我是王小明', '我是王**'],
  ['我是王小明，想问快递', '我是王**，想问快递'],
  ['我的名字是王小明', '我的名字是王**'],
  ['我的名字叫欧阳娜娜。', '我的名字叫欧***。'],
  ['姓名王小明', '姓名王**'],
  ['名字：王小明', '名字：王**'],
  ['我叫张三', '我叫张*'],
  ['My name is John Smith', 'My name is J*********'],
  ['my name’s Li Na and I want a refund', 'my name’s L**** and I want a refund'],
  ['王小明 13800138000 西湖区', '王** 138****8000 西湖区'],
  ['文三路88号王小明13800138000', '文三路***王**138****8000'],
  ['张三，0571-88886666', '张*，0571-****6666'],
  ['852-61234567', '852-****4567'],
  ['85361234567', '853****4567'],
  ['886 912 345 678', '886 9** **5 678'],
  ['(415) 555-2671', '(41*) ***-**71'],
  ['1-415-555-2671', '1-41*-***-2671'],
  ['0912-345-678', '09**-***-*78'],
  ['我姓王', '我姓*'],
  ['免贵姓欧阳，叫我小阳', '免贵姓**，叫我小阳'],
  ['I am John', 'I am J***'],
  ['This is Li Lei speaking', 'This is L***** speaking'],
  ['王小明 13800138000 成都市武侯区天府大道北段 1700 号 2 栋 301', '王** 138****8000 成都市武侯区*********************'],
  ['成都市武侯区天府大道1700号2栋301 13800138000', '成都市武侯区************** 138****8000'],
  ['中山路 12 号', '中山路 ****'],
  ['文三路 478 号 3 幢 502，麻烦快点', '文三路 *************，麻烦快点'],
  ['广州市天河区体育西路 103 号维多利广场 A 塔 31 楼', '广州市天河区************************'],
  ['科技园科苑路15号科兴科学园B栋', '科技园科苑路**********'],
  ['天府大道北段1700号', '天府大道北段*****'],
  ['上地十街 10 号', '上地十街 ****'],
  ['翠苑三区 12 幢 3 单元 402 室', '翠苑三区 ***************'],
  ['金色花园 3 期 5-1-1203', '金色花园 ************'],
  ['收件：王小明 成都市武侯区天府大道北段', '收件：****************'],
  ['麻烦发到 金地花园东门', '麻烦发到 ******'],
  ['家住西湖边小区', '家住*****'],
  ['No. 88 Jianguo Road, Beijing', '*******************, Beijing'],
  ['护照 E12345678', '护照 E1*******'],
  ['护照号：EA1234567', '护照号：EA*******'],
  ['港澳通行证 C1234 5678', '港澳通行证 C1********'],
  ['台胞证 12345678', '台胞证 12******'],
  ['社保卡号 12345678901', '社保卡号 12*********'],
  ['passport no. K1234567P', 'passport no. K1*******'],
  [
    '真实姓名（必填）: 张三丰 微信（选填）: lily2020 手机号码（必须填写）: 61234567',
    '真实姓名（必填）: 张** 微信（选填）: li****** 手机号码（必须填写）: 61****67',
  ],
  ['姓名【必填】：诸葛孔明\n颜色：红', '姓名【必填】：诸***\n颜色：红'],
  ['Mobile (required): 61234567 WeChat ID: lilyabc', 'Mobile (required): 61****67 WeChat ID: li*****'],
  ['联系方式（微信）: lily2020 颜色: 红', '联系方式（微信）: li****** 颜色: 红'],
  ['我的邮箱是zhang点wei@163点com', '我的邮箱是z********@163点com'],
  ['zhang。wei@163.com', 'z********@163.com'],
  ['my email is zhang dot wei@gmail.com', 'my email is z************@gmail.com'],
  ['li点ming88艾特qq点com', 'l********艾特qq点com'],
  ['好的。wei@163.com', '好的。w**@163.com'],
  ['位置: 望京SOHO塔3, 5楼', '位置: ************'],
  [
    'https://shop.cn/order?email=zhang.wei88%40qq.com&tel=%2B86%20138%200013%208000&name=%E5%BC%A0%E4%BC%9F',
    'https://shop.cn/order?email=z**********%40qq.com&tel=%2B86%20***%20****%208000&name=%E5%BC%A0*********',
  ],
  ['去 https://a.cn/?tel=138+0013+8000&name=Zhang+Wei 看', '去 https://a.cn/?tel=13*+****+8000&name=Z******** 看'],
  ['https://a.cn/?m=zhang%2Bwei%40qq.com&t=+', 'https://a.cn/?m=z**********%40qq.com&t=+'],
  [
    'https://a.cn/go?to=https%3A%2F%2Fb.cn%2F%3Fm%3Dzhang%2540qq.com%26t%3D%252B86',
    'https://a.cn/go?to=https%3A%2F%2Fb.cn%2F%3Fm%3Dz****%2540qq.com%26t%3D%252B86',
  ],
  ['%31%33%38%30%30%31%33%38%30%30%30', `%31%33%38${'*'.repeat(12)}%38%30%30%30`],
  ['?name=%D5%C5%CE%B0&x=1', '?name=%D5%C5******&x=1'],
  ['?name=%u5F20%u4F1F', '?name=%u5F20******'],
]
for (const [text, shown] of cases) {
  test(`masks ${text}`, () => {
    assert.equal(maskText(nobody, text), shown)
    assert.equal(shown.length, text.length)
    assert.equal(maskText(owner, text), text)
  })
}

test('a message that is only a piece is starred without its neighbours', () => {
  for (const [text, shown] of [
    ['0013', '****'],
    ['手机1371234', '手机*******'],
    ['5678 这个是我的手机号', '**** 这个是我的手机号'],
    ['happy_bear1314', 'ha************'],
    ['23456789。', '********。'],
  ] as const) {
    assert.equal(maskSaid(nobody, text), shown)
    assert.equal(maskSaid(owner, text), text)
  }
  for (const text of ['10', '2026-11-22', '10:30', '12.50', '192.168.1.138', 'SF1391234567890', 'iphone15', '六一八打折吗', '一共 138 元'])
    assert.equal(maskSaid(nobody, text), text)
})

test('leaves alone what names nobody', () => {
  for (const text of [
    '订单 20261122123456 已发货',
    '2026-11-22 10:30 到 2026-11-23',
    '一共 1280 元，满 300 减 50',
    '微信支付可以吗',
    'WeChat official account',
    '下午 3 点 20 分',
    '一百二十三',
    '我是来问快递的',
    '我是于昨天下的单',
    '我是高中生，想减肥',
    '我是程序员',
    '我是金牌会员',
    '我是安徽人',
    '我是单身',
    '商品名字：可乐',
    '名字写错了',
    'my name is on the list',
    'I am from Canada',
    '我姓名写错了',
    '你知道 3 号发货吗',
    '这里 5 楼有电梯吗',
    '小区 3 号之前到就行',
    '三室两厅',
    '地铁 2 号线',
    '分 12 期 免息',
    '护照怎么办',
    '发到微信上就行',
    '活动专区 11 月 11 日',
    '订单 852-1234567',
    '共 200 300 4000',
    'ISBN 978-7-302-51234-5',
    '微信支付: 失败',
    'WeChat: not working, help',
    '电话: 没人接 订单: 2026112212345',
    '手机壳颜色: 红色',
    '微信上说好了：明天发',
    '4155552671',
    'https://a.cn/s?wd=%E5%8F%A4%E6%A0%91+%E6%99%AE%E6%B4%B1&page=2',
    '满 100%20 元，%E5%BC 坏的 %ZZ 100%',
    '123-456-7890',
    '',
  ])
    assert.equal(maskText(nobody, text), text)
})

test('what stands before a number is not always who answers it', () => {
  for (const lead of ['周五', '马上', '白天', '广州市', '应急电话', '方便的话', '高峰期', '家里', '常用'])
    assert.equal(maskText(nobody, `${lead} 13812345678`), `${lead} 138****5678`)
})

test('opens field by field', () => {
  const text = '13812345678 alice@example.com QQ 123456789'
  assert.equal(maskText(sees('phone', 'qq', 'wechat', 'name', 'address', 'document'), text), '13812345678 a****@example.com QQ 123456789')
  assert.equal(maskText(sees('name'), '我是王小明 13812345678'), '我是王小明 138****5678')
  assert.equal(maskText(sees('phone'), '我是王小明 (415) 555-2671'), '我是王** (415) 555-2671')
  assert.equal(maskText(sees('email', 'qq'), text), '138****5678 alice@example.com QQ 123456789')
})

test('a number that was cut off is hidden too', () => {
  assert.equal(maskCut(nobody, '打给我 138123', true), '打给我 ******')
  assert.equal(maskCut(nobody, '打给我 138123', false), '打给我 138123')
  assert.equal(maskCut(nobody, 'https://a.cn/?m=zhang.wei%4', true), `https://a.cn/?m=${'*'.repeat(11)}`)
})

test('looks into data that it does not know', () => {
  const data = { phone: 13812345678, list: [{ text: '13812345678' }], userName: '张三丰', n: 12 }
  assert.deepEqual(maskDeep(nobody, data), { phone: '138****5678', list: [{ text: '138****5678' }], userName: '张**', n: 12 })
  assert.equal(maskDeep(owner, data), data)
})

test('a letter says no more in its addresses and pictures than in its words', () => {
  const picture = 'data:image/png;base64,13800138000+zhang@qq.com'
  for (const [html, shown] of [
    ['<img src="https://x.cn/a.png?p=13800138000&amp;m=zhang@qq.com" alt="p">', '<img src="https://x.cn/a.png?p=138****8000&amp;m=z****@qq.com" alt="p">'],
    ['<img alt="p"src=https://x.cn/?m=zhang%40qq.com>', '<img alt="p"src="https://x.cn/?m=z****%40qq.com">'],
    ["<img/srcset='https://x.cn/13800138000.png 2x'>", '<img/srcset="https://x.cn/138****8000.png 2x">'],
    ['<a href="https://x.cn/?m=zhang&percnt;40qq.com">看</a>', '<a href="https://x.cn/?m=z****%40qq.com">看</a>'],
    [`<img src="cid:zhang%40qq.com"><img src="${picture}">`, `<img src="cid:zhang%40qq.com"><img src="${picture}">`],
  ] as const) {
    assert.equal(maskHtml(nobody, html), shown)
    assert.equal(maskHtml(owner, html), html)
  }
})

test('hostile text takes time by its length only', () => {
  for (const piece of [
    '1 ',
    'a@',
    '1',
    '微信 ',
    'aaaaaaaa',
    '@a.',
    '路1',
    '1-',
    'name: aa ',
    'q ',
    '+1',
    '我是',
    '我是王',
    '王小明 ',
    '姓名',
    '名字:',
    'my name is a ',
    '王小明138-',
    '415-',
    '路 1 号',
    '市区路1号',
    '成都市武侯区',
    '发到路',
    '护照 E',
    'No. 1 A ',
    'I am A',
    '姓名(',
    '姓名: ',
    '地址(填): a ',
    '微信微信',
    ' a:',
    '%E5',
    '%25',
    '%40a.',
    '%E5%BC%A0',
    '?a=b+',
    '?a=',
    '&%31+',
  ])
    for (const [text, most] of [[piece.repeat(100_000 / piece.length), 1_500]] as const) {
      const began = process.cpuUsage()
      maskText(nobody, text)
      const { user, system } = process.cpuUsage(began)
      assert.ok(user + system < most * 1_000, `${piece}: ${(user + system) / 1_000} ms of CPU`)
    }
})
