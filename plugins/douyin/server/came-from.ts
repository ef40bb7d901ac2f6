/** Where a customer came from when they opened the chat, in words: a video, a livestream, an advertisement, a page. */
import type { LabelledFact, LocalText } from '@huike/core/sdk/channel.ts'

const scenes: Readonly<Record<string, LocalText>> = {
  video: { zh: '视频', en: 'a video' },
  live: { zh: '直播间', en: 'a livestream' },
  homepage: { zh: '主页', en: 'the profile page' },
  search: { zh: '搜索', en: 'the search' },
  ad: { zh: '广告', en: 'an advertisement' },
}

/** Names as the platform has them in `ad_info`, `data-im-extra` and beside; several spell one thing differently. */
const known: readonly { names: readonly string[]; label: LocalText }[] = [
  { names: ['scene_type'], label: { zh: '来源场景', en: 'Came from' } },
  { names: ['objectId', 'object_id', 'item_id'], label: { zh: '来源视频', en: 'Video' } },
  { names: ['room_id', 'live_room_id'], label: { zh: '直播间', en: 'Livestream room' } },
  { names: ['adv_name'], label: { zh: '广告主', en: 'Advertiser' } },
  { names: ['adv_id'], label: { zh: '广告主编号', en: 'Advertiser id' } },
  { names: ['ad_name'], label: { zh: '广告计划', en: 'Ad plan' } },
  { names: ['ad_id'], label: { zh: '广告计划编号', en: 'Ad plan id' } },
  { names: ['creative_id'], label: { zh: '创意编号', en: 'Creative id' } },
  { names: ['promotion_id'], label: { zh: '推广编号', en: 'Promotion id' } },
  { names: ['path'], label: { zh: '小程序页面', en: 'Mini-program page' } },
  { names: ['query'], label: { zh: '页面参数', en: 'Page parameters' } },
]
const knownNames = new Set(known.flatMap(({ names }) => names))

/** All of them, empty where nothing was told; what has no label of ours stands together at the end. */
export function cameFrom(params: Readonly<Record<string, string>>): LabelledFact[] {
  const facts = known.map(({ names, label }): LabelledFact => {
    const [name = ''] = names
    const value = names.map((one) => params[one] ?? '').find((one) => one !== '') ?? ''
    return { name, label, value: name === 'scene_type' ? (scenes[value] ?? value) : value }
  })
  const rest = Object.entries(params).filter(([name]) => !knownNames.has(name))
  return [...facts, { name: 'other', label: { zh: '其他参数', en: 'Other parameters' }, value: rest.map(([name, value]) => `${name}=${value}`).join('; ') }]
}
