/** What can be written by a form instead of in the text field: a link, and the kinds of cards that the inbox declares. */
import type { CardForm, ChannelCapabilities } from '../../../../core/sdk/channel.ts'
import type { ComposablePart } from '../../../../core/sdk/message-parts.ts'

export interface Composable extends CardForm {
  partOf(values: Record<string, string>): ComposablePart
}

/** As `LinkPart` and the server's check of it have it. */
const link: Composable = {
  kind: 'link',
  label: { zh: '链接', en: 'Link' },
  fields: {
    type: 'object',
    required: ['url'],
    properties: {
      url: { type: 'string', title: '网址|Address', format: 'uri', pattern: '^[hH][tT][tT][pP][sS]?://', maxLength: 2048 },
      title: { type: 'string', title: '标题|Title', description: '选填，客户看到的文字。|Optional: the words the customer sees.', maxLength: 300 },
      description: { type: 'string', title: '说明|Description', description: '选填|Optional', maxLength: 1000, 'x-multiline': true },
    },
  } as CardForm['fields'],
  partOf: ({ url = '', title, description }) => ({ type: 'link', url, ...(title ? { title } : {}), ...(description ? { description } : {}) }),
}

export function composables(capabilities: ChannelCapabilities | undefined): Composable[] {
  if (!capabilities) return []
  const cards = capabilities.send.includes('card') ? (capabilities.cards ?? []) : []
  return [...(capabilities.send.includes('link') ? [link] : []), ...cards.map((form) => ({ ...form, partOf: cardOf(form.kind) }))]
}

const cardOf =
  (kind: string) =>
  ({ title = '', url, cover, ...data }: Record<string, string>): ComposablePart => ({
    type: 'card',
    kind,
    title,
    ...(url ? { url } : {}),
    ...(cover ? { cover } : {}),
    data: Object.fromEntries(Object.entries(data).filter(([, value]) => value !== undefined)),
  })
