/** The beginning of a text, never ending in the middle of a pair. */
export const shortened = (text: string, max: number): string => {
  const end = text.charCodeAt(max - 1)
  return text.length <= max ? text : text.slice(0, end >= 0xd800 && end <= 0xdbff ? max - 1 : max)
}
