import { defineUi } from '@huike/core/sdk/ui.ts'
import { en } from '../locales/en.ts'
import { zh } from '../locales/zh.ts'
import FactCard from './FactCard.vue'
import FactsPanel from './FactsPanel.vue'
import { type Kind, marksOf, rowKinds, start } from './facts.ts'

const icons: Record<Kind, string> = { phone: 'phone', landline: 'phone', wechat: 'chat', qq: 'chat', email: 'mail', age: 'user', gender: 'user' }
/** How to reach somebody, and who they are: two colours, and a word for each. */
const toneOf = (kind: Kind) => (kind === 'age' || kind === 'gender' ? ('person' as const) : ('contact' as const))
const labelOf = (kind: Kind) => ({ zh: zh.kinds[kind], en: en.kinds[kind] })
/** Their words are their sign. */
const worded: readonly Kind[] = ['wechat', 'qq', 'age', 'gender']
const signs: Partial<Record<Kind, { zh: string; en: string }>> = {
  wechat: { zh: '微', en: 'Wx' },
  qq: { zh: 'Q', en: 'Q' },
  age: { zh: '龄', en: 'Age' },
  gender: { zh: '性', en: 'Sex' },
}

export default defineUi({
  slots: [{ slot: 'conversation.panel', id: 'facts', component: FactsPanel }],
  marks: {
    row: ({ id }) =>
      rowKinds(id).map((kind) =>
        worded.includes(kind) ? { tone: toneOf(kind), label: signs[kind] ?? labelOf(kind) } : { tone: toneOf(kind), label: labelOf(kind), icon: icons[kind] },
      ),
    text: ({ id, conversationId }, part) =>
      marksOf(id, conversationId)
        .filter((mark) => mark.part === part)
        .map(({ start, end, fact }) => ({
          start,
          end,
          tone: toneOf(fact.kind),
          label: labelOf(fact.kind),
          component: FactCard,
          props: { messageId: id, conversationId, part, start },
        })),
  },
  start,
  locales: { zh, en },
})
