import { defineEntity, p } from '@mikro-orm/core'
import { idColumn, instant } from '../../db/types.ts'

const DepartmentSchema = defineEntity({
  name: 'Department',
  tableName: 'department',
  properties: {
    id: idColumn().primary(),
    parentId: idColumn().nullable(),
    name: p.string().length(60),
    createdAt: instant(),
  },
  indexes: [{ properties: ['parentId'], name: 'department_parent' }],
})
export class Department extends DepartmentSchema.class {}
DepartmentSchema.setClass(Department)

const SkillGroupSchema = defineEntity({
  name: 'SkillGroup',
  tableName: 'skill_group',
  properties: { id: idColumn().primary(), name: p.string().length(60), createdAt: instant() },
})
export class SkillGroup extends SkillGroupSchema.class {}
SkillGroupSchema.setClass(SkillGroup)

const SkillGroupMemberSchema = defineEntity({
  name: 'SkillGroupMember',
  tableName: 'skill_group_member',
  properties: { skillGroupId: idColumn().primary(), agentId: idColumn().primary() },
  indexes: [{ properties: ['agentId'], name: 'skill_group_member_agent' }],
})
export class SkillGroupMember extends SkillGroupMemberSchema.class {}
SkillGroupMemberSchema.setClass(SkillGroupMember)

export const departmentEntities = [DepartmentSchema, SkillGroupSchema, SkillGroupMemberSchema]
