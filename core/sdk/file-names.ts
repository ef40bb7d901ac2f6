/** Names of files, as other people's file systems take them. */

/** What is longer is part of the name. */
const longestEnding = 16

/** A name in two: all before its ending, and its ending with the dot. */
export function splitEnding(name: string): [stem: string, ending: string] {
  const dot = name.lastIndexOf('.')
  const at = dot > 0 && name.length - dot <= longestEnding ? dot : name.length
  return [name.slice(0, at), name.slice(at)]
}

/**
 * A name in two, before its ending; together no longer than so many bytes of UTF-8: Linux takes 255, and something may be
 * added that makes it the only one.
 */
export function nameParts(name: string, most = 240): [stem: string, ending: string] {
  const [stem, ending] = splitEnding(name)
  let left = most - Buffer.byteLength(ending)
  return [[...stem].filter((sign) => (left -= Buffer.byteLength(sign)) >= 0).join(''), ending]
}
