/** Names of files, as other people's file systems take them. */

/**
 * A name in two, before its ending; together no longer than so many bytes of UTF-8: Linux takes 255, and something may be
 * added that makes it the only one.
 */
export function nameParts(name: string, most = 240): [stem: string, ending: string] {
  const dot = name.lastIndexOf('.')
  const ending = dot > 0 && name.length - dot <= longestEnding ? name.slice(dot) : ''
  let left = most - Buffer.byteLength(ending)
  const stem = [...name.slice(0, name.length - ending.length)].filter((sign) => (left -= Buffer.byteLength(sign)) >= 0)
  return [stem.join(''), ending]
}
/** What is longer is part of the name. */
const longestEnding = 16
