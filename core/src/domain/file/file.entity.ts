import { defineEntity, p } from '@mikro-orm/core'
import { idColumn, instant } from '../../db/types.ts'

const FileSchema = defineEntity({
  name: 'StoredFile',
  tableName: 'file',
  properties: {
    id: idColumn().primary(),
    /** SHA-256 of the bytes, hex: equal bytes are stored once. */
    hash: p.string().length(64),
    name: p.string().length(255),
    /** Sniffed from the bytes, never the uploader's word. */
    mime: p.string().length(127),
    size: p.integer(),
    width: p.integer().nullable(),
    height: p.integer().nullable(),
    hasThumbnail: p.boolean().default(false),
    /** Who brought it: an agent's id, or a customer's key (`customerKey`). An agent has it until a message carries it. */
    uploadedBy: p.string().length(40),
    /** Once it is part of a message, who may read the conversation may read it. */
    conversationId: idColumn().nullable(),
    /** The newest message that carries it, notes left out: others may too. None is known of files from before there was this column. */
    messageId: idColumn().nullable(),
    createdAt: instant(),
  },
  indexes: [
    { properties: ['hash'], name: 'file_hash' },
    { properties: ['conversationId'], name: 'file_conversation' },
  ],
})
export class StoredFile extends FileSchema.class {}
FileSchema.setClass(StoredFile)

export const fileEntities = [FileSchema]
