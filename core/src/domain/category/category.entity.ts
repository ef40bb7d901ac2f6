import { defineEntity, p } from '@mikro-orm/core'
import { idColumn, instant } from '../../db/types.ts'

/** A kind of matter: a tree that admins edit. */
const CategorySchema = defineEntity({
  name: 'Category',
  tableName: 'category',
  properties: {
    id: idColumn().primary(),
    /** Empty at the top: a unique key takes no part in NULL. */
    parentId: idColumn().default(''),
    name: p.string().length(60),
    /** Order among its sisters. */
    position: p.integer().default(0),
    /** No longer chosen, still the name of what was. */
    retiredAt: instant().nullable(),
    createdAt: instant(),
  },
  uniques: [{ properties: ['parentId', 'name'], name: 'category_name_unique' }],
})
export class Category extends CategorySchema.class {}
CategorySchema.setClass(Category)

export const categoryEntities = [CategorySchema]
