import { defineUi, type RowMark } from '@huike/core/sdk/ui.ts'
import { en } from '../locales/en.ts'
import { zh } from '../locales/zh.ts'
import FactCard from './FactCard.vue'
import FactsPanel from './FactsPanel.vue'
import { type Kind, marksOf, rowKinds, start } from './facts.ts'

/** Each kind its own colour, and a sign for those who see none: an icon, or a character where two kinds would share one. */
const looks: Record<Kind, Pick<RowMark, 'tone' | 'icon' | 'sign'>> = {
  phone: { tone: 'green', icon: 'phone' },
  landline: { tone: 'teal', sign: { zh: '座', en: 'Tel' } },
  wechat: { tone: 'olive', sign: { zh: '微', en: 'Wx' } },
  qq: { tone: 'blue', sign: { zh: 'Q', en: 'Q' } },
  email: { tone: 'violet', icon: 'mail' },
  age: { tone: 'orange', sign: { zh: '龄', en: 'Age' } },
  gender: { tone: 'pink', sign: { zh: '性', en: 'Sex' } },
}
const markOf = (kind: Kind): RowMark => ({ ...looks[kind], label: { zh: zh.kinds[kind], en: en.kinds[kind] } })

export default defineUi({
  slots: [{ slot: 'conversation.panel', id: 'facts', component: FactsPanel }],
  marks: {
    row: ({ id }) => rowKinds(id).map(markOf),
    legend: (Object.keys(looks) as Kind[]).map(markOf),
    text: ({ id, conversationId }, part) =>
      marksOf(id, conversationId)
        .filter((mark) => mark.part === part)
        .map(({ start, end, fact }) => ({
          start,
          end,
          tone: looks[fact.kind].tone,
          label: markOf(fact.kind).label,
          component: FactCard,
          props: { messageId: id, conversationId, part, start },
        })),
  },
  start,
  locales: { zh, en },
})
