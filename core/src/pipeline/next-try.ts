/** When a send that failed for now is tried again, and what an agent reads once it is not. */
import type { LocalText } from '../../sdk/channel.ts'

/** Where the channel names no hours. */
const maxAttempts = 8
const quarterMs = 900_000
const hourMs = 3_600_000
/** After that many tries no adapter's own haste goes below a minute. */
const hastyTries = 20

export interface Tries {
  /** Done so far. */
  attempts: number
  /** Since when. */
  createdAt: Date
}

/** What the adapter asks for. */
export interface Wish {
  afterMs?: number | undefined
  maxTries?: number | undefined
}

/** @returns undefined when the last try is done */
export function nextTry({ attempts, createdAt }: Tries, retryHours: number | undefined, wish: Wish = {}, now = Date.now()): Date | undefined {
  const { afterMs: asked, maxTries = Number.POSITIVE_INFINITY } = wish
  if (attempts >= maxTries) return undefined
  const waitMs = asked ?? Math.min(1_000 * 3 ** attempts, retryHours === undefined ? quarterMs : hourMs)
  if (retryHours === undefined) return attempts >= maxAttempts ? undefined : new Date(now + waitMs)
  const due = now + (attempts > hastyTries ? Math.max(waitMs, 60_000) : waitMs)
  return due > createdAt.getTime() + retryHours * hourMs ? undefined : new Date(due)
}

/** While the channel is off nothing is tried: it is looked at ever less often, for as long as tries would take. Undefined when that is over. */
export function nextLook({ createdAt }: Pick<Tries, 'createdAt'>, retryHours: number | undefined, now = Date.now()): Date | undefined {
  const age = now - createdAt.getTime()
  const due = now + Math.min(Math.max(age, 3_000), quarterMs)
  return due > createdAt.getTime() + (retryHours ?? 0.5) * hourMs ? undefined : new Date(due)
}

/** How far a message got. Of one in pieces the first `done` are the customer's; a letter has none, it has reached somebody or nobody yet. */
export interface Through {
  done: number
  letter: boolean
}

function sayThrough({ done, letter }: Through): LocalText {
  if (done === 0) return { zh: '', en: '' }
  return letter ? { zh: '（已有收件人收到）', en: ' (some recipients have it)' } : { zh: `（前 ${done} 条已送达）`, en: ` (the first ${done} arrived)` }
}

/** The last try has failed: whatever the adapter said of another one is no longer true. */
export function gaveUp(fault: LocalText | undefined, through: Through): LocalText {
  const part = sayThrough(through)
  return {
    zh: `多次重试后仍未送达${part.zh}${fault ? `：${fault.zh}` : ''}。系统不再自动重试，请稍后手动重新发送。`,
    en: `Not delivered after several tries${part.en}${fault ? `: ${fault.en}` : ''}. It is not tried again by itself; send it again later.`,
  }
}

/** The line broke in the middle: what is known to have arrived, and that the rest never left. */
export function cutAfter(done: number): LocalText {
  return {
    zh: `发送中断：前 ${done} 条已送达，其余没有发出。重新发送会接着发其余部分。`,
    en: `Sending was interrupted: the first ${done} arrived, the rest never left. Sending again goes on with the rest.`,
  }
}

/** An agent did not want to wait for the next try. */
export function stoppedByAgent(through: Through): LocalText {
  if (through.letter && through.done > 0)
    return { zh: '已停止重试：已有收件人收到，其余收件人没有送达。', en: 'No longer tried: some recipients have it, the others do not.' }
  const part = sayThrough(through)
  return { zh: `已停止重试，这条消息没有送达${part.zh}。`, en: `No longer tried: this message was not delivered${part.en}.` }
}

export const channelOff: LocalText = { zh: '这个渠道账号或渠道已停用', en: 'the inbox or its channel is switched off' }
export const hubFailed: LocalText = { zh: '系统内部出错', en: 'something went wrong inside the hub' }
export const adapterFailed: LocalText = { zh: '渠道插件出错', en: 'the channel’s plugin failed' }
