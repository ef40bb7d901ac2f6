/** What SQL would bring the database to the entities; empty when they agree. */
import type { Orm } from './orm.ts'

/** Statements, one per element. Tables that no entity knows (the migration record, a removed plugin's) are left alone. */
export async function schemaDrift(orm: Orm): Promise<string[]> {
  // MariaDB reports a string column's missing default as the word NULL and quotes the others, which reads as a
  // change where there is none; types, lengths and nullability are still compared.
  for (const meta of orm.getMetadata().getAll().values())
    for (const prop of meta.props) if (prop.runtimeType === 'string') prop.ignoreSchemaChanges = ['default']
  const all = statements(await orm.schema.getUpdateSchemaSQL({ wrap: false, safe: true }))
  // Indexes `…_key` stand on columns that the database computes, which no entity knows (migration 0017).
  return all.filter((statement) => !/drop index `\w+_key`$/.test(statement))
}

export function statements(sql: string): string[] {
  return sql
    .split(';\n')
    .map((statement) => statement.trim().replace(/;$/, ''))
    .filter((statement) => statement !== '' && !statement.startsWith('set names') && !statement.startsWith('pragma'))
}
