import type { Migration } from '../core/sdk/plugin.ts'

/** Sealed as the others are (`sealedLength`). */
const width = (characters: number): number => Math.ceil(((28 + characters * 4) * 4) / 3) + 49
const columns = { wechat: width(60), qq: width(20), address: width(300) }
/** A role that saw all personal data there was goes on seeing all of it. */
const roles =
  'update `role` set `grants` = replace(`grants`, \'"fields":["name","phone","email"]\', \'"fields":["name","phone","email","wechat","qq","address","document"]\')'

/** WeChat, QQ and address of a contact; they can be opened by themselves, as can ID and bank card numbers. */
export const personalFields: Migration = {
  name: '0042-personal-fields',
  mysql: [
    `alter table \`contact\` ${Object.entries(columns)
      .map(([name, length]) => `add \`${name}\` varchar(${length}) not null default ''`)
      .join(', ')}`,
    roles,
  ],
  sqlite: [...Object.keys(columns).map((name) => `alter table \`contact\` add column \`${name}\` text not null default ''`), roles],
}
