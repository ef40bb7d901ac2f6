import type { DraftContent } from './wire/conversation.ts'

/** What a list shows of it. */
export const draftWords = ({ text, files = [], letter }: DraftContent): string => text || files.map(({ name }) => name).join(', ') || letter?.subject || ''

/** Nothing that would be missed. */
export const isNoDraft = ({ text, files, letter }: DraftContent): boolean => text === '' && !files?.length && !letter
