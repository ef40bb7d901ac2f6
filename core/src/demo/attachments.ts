/** What people of the demonstration send each other: pictures drawn here, and a list of prices. */

const svg = (body: string): string => `<svg xmlns="http://www.w3.org/2000/svg" width="960" height="720" viewBox="0 0 960 720">${body}</svg>`
const table = `<rect width="960" height="720" fill="#e9e1d3"/><rect y="470" width="960" height="250" fill="#b98f63"/><rect y="470" width="960" height="8" fill="#a37a50"/>`
const drawings = {
  /** A gaiwan whose lid has lost a piece. */
  chipped: svg(`${table}
    <ellipse cx="480" cy="560" rx="230" ry="40" fill="#8a6440" opacity=".35"/>
    <path d="M290 340h380c0 130-80 210-190 210s-190-80-190-210Z" fill="#f6f4ee"/>
    <path d="M290 340h380c-4 30-10 54-18 76H308c-8-22-14-46-18-76Z" fill="#dfe8ea"/>
    <path d="M340 430c60-40 90 30 140-4s90-30 140 8" fill="none" stroke="#4f7d8c" stroke-width="9" stroke-linecap="round"/>
    <path d="M270 340c20-70 110-110 210-110s190 40 210 110l-58 0-22-20-26 20Z" fill="#f1eee6" stroke="#cfc9bb" stroke-width="4"/>
    <circle cx="480" cy="222" r="26" fill="#f6f4ee" stroke="#cfc9bb" stroke-width="4"/>`),
  /** The gift box of the annual party. */
  box: svg(`${table}
    <path d="M210 300 480 210l270 90v230L480 630 210 530Z" fill="#7d2f2b"/>
    <path d="M210 300 480 390l270-90-270-90Z" fill="#9a3f39"/><path d="M480 390v240l270-100V300Z" fill="#6a2521"/>
    <path d="m328 259 272 91v240l-44 16V366L284 275Z" fill="#d8b36a"/>
    <circle cx="610" cy="450" r="44" fill="none" stroke="#d8b36a" stroke-width="8"/><path d="M592 452h36m-18-18v36" stroke="#d8b36a" stroke-width="8"/>`),
  /** A telephone on which a coupon is refused. */
  coupon:
    svg(`<rect width="960" height="720" fill="#cfd6de"/><rect x="310" y="40" width="340" height="640" rx="44" fill="#1f2530"/><rect x="326" y="64" width="308" height="592" rx="26" fill="#f7f8fa"/>
    <rect x="350" y="110" width="260" height="120" rx="14" fill="#f3d9c7"/><rect x="372" y="136" width="90" height="22" rx="6" fill="#c4603a"/><rect x="372" y="174" width="180" height="14" rx="6" fill="#c4603a" opacity=".5"/>
    <rect x="350" y="262" width="260" height="18" rx="6" fill="#c9cfd8"/><rect x="350" y="298" width="190" height="18" rx="6" fill="#dfe3e9"/>
    <rect x="366" y="380" width="228" height="120" rx="16" fill="#2d3440"/><circle cx="480" cy="420" r="20" fill="none" stroke="#fff" stroke-width="5"/><path d="M480 410v14m0 8v.5" stroke="#fff" stroke-width="6" stroke-linecap="round"/><rect x="402" y="458" width="156" height="14" rx="6" fill="#fff" opacity=".8"/>
    <rect x="350" y="580" width="260" height="44" rx="22" fill="#c4603a" opacity=".4"/>`),
} as const

const prices = `\ufeff品名,数量,单价,小计
年会礼盒 · 勐海熟普（357 克）,50,268,13400
烫金 logo,50,0,0
运费（北京）,1,0,0
合计,,,13400
`

export const attachments = {
  chipped: { name: '盖子缺口.jpg', bytes: () => draw(drawings.chipped) },
  box: { name: '礼盒样图.jpg', bytes: () => draw(drawings.box) },
  coupon: { name: '优惠券提示.jpg', bytes: () => draw(drawings.coupon) },
  prices: { name: '年会礼盒报价.csv', bytes: async () => Buffer.from(prices) },
}
export type Sent = keyof typeof attachments

const draw = async (drawing: string): Promise<Buffer> => (await import('sharp')).default(Buffer.from(drawing)).jpeg({ quality: 86 }).toBuffer()
