/** The columns there are, in their usual order. */
export const recordFields = [
  'id',
  'contact',
  'number',
  'name',
  'phone',
  'email',
  'wechat',
  'qq',
  'address',
  'remark',
  'contactFields',
  'channel',
  'inbox',
  'agent',
  'department',
  'skillGroup',
  'status',
  'category',
  'tags',
  'rating',
  'ratingComment',
  'summary',
  'messages',
  'createdAt',
  'firstReplyAt',
  'lastMessageAt',
  'closedAt',
  'link',
] as const
/** Only where a row is a message; a conversation has the links of all its files, though. */
export const messageFields = ['at', 'sender', 'author', 'subject', 'text', 'fate', 'files', 'fileLink'] as const
export const fieldKeys = [...recordFields, ...messageFields]
export type FieldKey = (typeof fieldKeys)[number]
/** A field of the contact that a plugin brought or an admin made, under its own name (`hub.level`): a column like others. */
export type ContactKey = `${string}.${string}`
export type Field = FieldKey | ContactKey
export const isContactKey = (field: string): field is ContactKey => field.includes('.')

/** What stands above each conversation of a PDF, whose title is the contact; the links are links there. */
export const pdfFields: readonly FieldKey[] = [...recordFields.filter((field) => field !== 'contact'), 'fileLink']

export const isPdfField = (field: Field): boolean => isContactKey(field) || pdfFields.includes(field)

/** Is there such a column in this form? */
export function isColumn({ format, rows }: { format: string; rows: string }, field: Field): boolean {
  if (format === 'pdf' && !isPdfField(field)) return false
  return rows === 'message' || !(messageFields as readonly string[]).includes(field) || (field === 'fileLink' && format !== 'pdf')
}

/** A file's name by its rule. Unknown variables stay as they are; what a file system minds is taken out. */
export function nameByRule(rule: string, values: Record<string, string>): string {
  const name = rule.replace(/\{([^{}]{1,80})\}/g, (whole, key: string) => values[key] ?? whole)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
  const plain = name.replace(/[\\/:*?"<>|\u0000-\u001f\u007f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, '_').replace(/^[.\s]+|[.\s]+$/g, '')
  return [...plain].slice(0, 80).join('') || 'export'
}
/** Besides them every field of the contact, by its name or its label: `{hub.level}`. */
export const nameVariables = ['date', 'time', 'channel', 'inbox', 'agent', 'category', 'count'] as const
