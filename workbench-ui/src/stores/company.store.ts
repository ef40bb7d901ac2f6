/** Which colleagues look at a conversation, and which of them are answering. Gone with their word, or when their word stays away. */
import { defineStore } from 'pinia'
import { reactive } from 'vue'
import { useRealtime } from '../../../core/ui-kit/realtime.ts'

/** The hub repeats who is looking every 15 seconds, a composer that it types every 3. */
const lookingMs = 40_000
const answeringMs = 8_000

interface Sight {
  lookingUntil: number
  answeringUntil: number
}

export const useCompany = defineStore('company', () => {
  const realtime = useRealtime()
  const sights = reactive(new Map<string, Map<string, Sight>>())
  const undo: (() => void)[] = []

  /** Colleagues in a conversation; those who answer first. */
  const here = (conversationId: string): { agentId: string; answering: boolean }[] =>
    [...(sights.get(conversationId) ?? [])]
      .map(([agentId, sight]) => ({ agentId, answering: sight.answeringUntil > 0 }))
      .sort((a, b) => Number(b.answering) - Number(a.answering))

  function hear({ conversationId, kind, agentId, active }: { conversationId: string; kind: string; agentId: string | null; active: boolean }): void {
    if (agentId === null) return
    const people = sights.get(conversationId) ?? new Map<string, Sight>()
    const known = people.get(agentId) ?? { lookingUntil: 0, answeringUntil: 0 }
    const now = Date.now()
    if (kind === 'viewing' && !active) people.delete(agentId)
    else
      people.set(agentId, {
        lookingUntil: kind === 'viewing' || active ? now + lookingMs : known.lookingUntil,
        answeringUntil: kind === 'typing' ? (active ? now + answeringMs : 0) : known.answeringUntil,
      })
    if (people.size > 0) sights.set(conversationId, people)
    else sights.delete(conversationId)
  }

  function expire(): void {
    const now = Date.now()
    for (const [conversationId, people] of sights) {
      for (const [agentId, sight] of people) {
        if (sight.lookingUntil < now) people.delete(agentId)
        else if (sight.answeringUntil > 0 && sight.answeringUntil < now) people.set(agentId, { ...sight, answeringUntil: 0 })
      }
      if (people.size === 0) sights.delete(conversationId)
    }
  }

  function start(): void {
    const timer = setInterval(expire, 1_000)
    undo.push(
      realtime.on('ephemeral', hear),
      // What was said while the line was down was not heard; who is still there says so again.
      realtime.onResync(async () => sights.clear()),
      () => clearInterval(timer),
    )
  }
  const stop = (): void => {
    for (const take of undo.splice(0)) take()
    sights.clear()
  }
  return { here, start, stop }
})
