/** Asking for what is hidden: a reason first, then the value, kept for as long as whoever asked shows it. */
import { useI18n } from 'vue-i18n'
import type { Message } from '../../../../core/sdk/wire/conversation.ts'
import { api } from '../../../../core/ui-kit/api.ts'
import { useFeedback } from '../../../../core/ui-kit/feedback.ts'

export function useReveal() {
  const { t } = useI18n()
  const { askWords, fail } = useFeedback()
  const reason = (what: string) =>
    askWords(t('contact.reveal', { what }), {
      text: `${t('contact.revealAsk')} ${t('contact.revealHint')}`,
      placeholder: t('contact.revealReason'),
      confirm: t('contact.revealConfirm'),
      least: 2,
      most: 200,
      fault: t('contact.revealShort'),
    })
  async function ask<T>(what: string, path: string, body: object): Promise<T | undefined> {
    const said = await reason(what)
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
    field: async (contactId: string, field: string) => (await ask<{ value: string }>(t(`contact.${field}`), `/contacts/${contactId}/reveal`, { field }))?.value,
    message: (id: string) => ask<Message>(t('contact.revealWhat'), `/messages/${id}/reveal`, {}),
  }
}
