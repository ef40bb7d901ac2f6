/** Asking for what is hidden: a reason first, then the value, kept for as long as whoever asked shows it. */
import { useI18n } from 'vue-i18n'
import type { Message, PersonalKind } from '../../../../core/sdk/wire/conversation.ts'
import { api } from '../../../../core/ui-kit/api.ts'
import { useFeedback } from '../../../../core/ui-kit/feedback.ts'

export function useReveal() {
  const { t } = useI18n()
  const { askWords, fail } = useFeedback()
  const reason = (title: string) =>
    askWords(title, {
      text: `${t('contact.revealAsk')} ${t('contact.revealHint')}`,
      placeholder: t('contact.revealReason'),
      confirm: t('contact.revealConfirm'),
      least: 2,
      most: 200,
      fault: t('contact.revealShort'),
    })
  async function ask<T>(title: string, path: string, body: object): Promise<T | undefined> {
    const said = await reason(title)
    if (said === undefined) return undefined
    try {
      return await api<T>('POST', path, { ...body, reason: said })
    } catch (error) {
      fail(error)
      return undefined
    }
  }
  return {
    /** A field of a contact; undefined when it was called off or refused. */
    field: async (contactId: string, field: string) =>
      (await ask<{ value: string }>(t('contact.reveal', { what: t(`contact.${field}`) }), `/contacts/${contactId}/reveal`, { field }))?.value,
    /** One kind in a message, the others as they were. */
    message: (id: string, field: PersonalKind) => ask<Message>(t('contact.revealKind', { what: t(`contact.${field}`) }), `/messages/${id}/reveal`, { field }),
  }
}
