import { defineEntity, p } from '@mikro-orm/core'
import { idColumn, instant } from '../../../db/types.ts'

/**
 * A run of messages of the search's index, from after one id to another. What it holds stands in the table
 * `search_posting` (block, gram, hits), which no entity maps: it is read and written by the thousand.
 */
const SearchBlockSchema = defineEntity({
  name: 'SearchBlock',
  tableName: 'search_block',
  properties: {
    id: p.integer().primary().autoincrement(false).unsigned(false),
    /** Searched when `live`. While `building` it is nobody's but its maker's; `retired`, another holds the same messages. */
    state: p.string().length(10).$type<'building' | 'live' | 'retired'>(),
    afterId: idColumn(),
    lastId: idColumn(),
    /** Messages it can find: those with words that a person wrote. */
    size: p.integer(),
    /** Of all messages between its ends when it was made: how many, and how long their texts: whether they are as they were. */
    messages: p.integer(),
    textLength: p.integer(),
    /** When it is looked at again: live, whether it is still true; the others, to go. */
    dueAt: instant().nullable(),
    createdAt: instant(),
  },
  indexes: [{ properties: ['state', 'dueAt'], name: 'search_block_due' }],
})
export class SearchBlock extends SearchBlockSchema.class {}
SearchBlockSchema.setClass(SearchBlock)

export const searchEntities = [SearchBlockSchema]
