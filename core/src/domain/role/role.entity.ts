import { defineEntity, p } from '@mikro-orm/core'
import type { Grant } from '../../../sdk/wire/role.ts'
import { idColumn, instant, json } from '../../db/types.ts'

const RoleSchema = defineEntity({
  name: 'Role',
  tableName: 'role',
  properties: {
    id: idColumn().primary(),
    /** owner, admin, supervisor, agent for the built-in ones; null for custom ones. */
    builtin: p.string().length(20).nullable(),
    name: p.string().length(60),
    grants: json<Grant[]>(),
    createdAt: instant(),
  },
  uniques: [{ properties: ['builtin'], name: 'role_builtin_unique' }],
})
export class Role extends RoleSchema.class {}
RoleSchema.setClass(Role)

export const roleEntities = [RoleSchema]
