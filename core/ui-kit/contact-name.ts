/** What a contact is called, in the reader's language where the channel has words for who is no person. */
import { useI18n } from 'vue-i18n'
import type { ContactBrief } from '../sdk/wire/conversation.ts'

export function useContactName(): (contact: Pick<ContactBrief, 'title' | 'label'> | undefined) => string {
  const { locale } = useI18n()
  return (contact) => contact?.label?.[locale.value === 'en' ? 'en' : 'zh'] ?? contact?.title ?? ''
}
