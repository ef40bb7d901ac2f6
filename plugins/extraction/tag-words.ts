/** The tags that are put on from the start, in both languages: which of them, the hub's language decides. */
export const tagWords: Record<string, { zh: string; en: string }> = {
  转电: { zh: '转电', en: 'To call' },
  转微: { zh: '转微', en: 'To WeChat' },
}
