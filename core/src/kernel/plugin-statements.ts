/** What a plugin's migration does, read before it runs: forms that are known, to tables of its own. What is not understood is refused. */

const name = '[`"]?(\\w+)[`"]?(?![\\w.`"])'
const index = '(?:unique |fulltext |spatial )?index'
const there = '(?:if (?:not )?exists )?'
/** Each names what it changes; what a foreign key or a `select` asks of others it may. */
const forms = [
  `create table ${there}${name}`,
  `alter table ${name}`,
  `drop table ${there}${name}$`,
  `create ${index} ${there}${name} on ${name}`,
  `drop index ${there}${name} on ${name}$`,
  `drop index ${there}${name}$`,
  `insert (?:or \\w+ |ignore )?into ${name}`,
  `replace into ${name}`,
  `update (?:or \\w+ |ignore )?${name} set `,
  `delete from ${name}(?: where | limit |$)`,
  `truncate (?:table )?${name}$`,
].map((form) => new RegExp(`^${form}`, 'i'))
const newName = new RegExp(`\\brename (?!column |index |key )(?:to |as )?${name}`, 'gi')

/** What a statement changes that does not begin with `prefix`; null when it is none that is understood. */
export function foreignTo(prefix: string, statement: string): string | null | undefined {
  const plain = statement
    .replace(/'(?:[^']|'')*'/g, "''")
    .replace(/\s+/g, ' ')
    .trim()
  if (/;|--|\/\*|#|\bexchange partition\b/i.test(plain)) return null
  const found = forms.map((form) => plain.match(form)).find((match) => match !== null)
  if (!found) return null
  const renamed = /^alter /i.test(plain) ? [...plain.matchAll(newName)].map(([, to = '']) => to) : []
  return [...found.slice(1), ...renamed].find((one) => !one.startsWith(prefix))
}
