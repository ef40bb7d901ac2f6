/** The core's permissions and what the built-in roles hold of them. Plugins add theirs with their manifests. */
import type { LocalText } from '../../sdk/channel.ts'
import { personalFields } from '../../sdk/contacts.ts'
import type { PluginManifest } from '../../sdk/plugin.ts'
import type { Grant, Scope } from '../../sdk/wire/role.ts'

export interface PermissionDefinition {
  /** `noun.verb`; the last word is the verb. */
  name: string
  label: LocalText
  scopes: readonly Scope[]
  fields: readonly string[]
  /** It can be held within some inboxes only: what is asked of one conversation, or one visit. */
  inboxes?: true
  /** Built-in roles that hold it, and how far. `owner` holds everything, always. */
  grants: { admin?: Scope | true; supervisor?: Scope | true; agent?: Scope | true }
}

const scopes = ['own', 'department', 'tree', 'all'] as const

/** What can be opened one by one. */
export { personalFields } from '../../sdk/contacts.ts'
/** Of them, those that are columns of a contact. */
export const contactFields = ['name', 'phone', 'email', 'wechat', 'qq', 'address'] as const

const reach = (name: string, zh: string, en: string, grants: PermissionDefinition['grants']): PermissionDefinition => ({
  name,
  label: { zh, en },
  scopes,
  fields: [],
  inboxes: true,
  grants,
})
const plain = (name: string, zh: string, en: string, grants: PermissionDefinition['grants']): PermissionDefinition => ({
  name,
  label: { zh, en },
  scopes: [],
  fields: [],
  grants,
})

export const corePermissions: readonly PermissionDefinition[] = [
  reach('conversation.read', '查看会话', 'See conversations', { admin: 'all', supervisor: 'tree', agent: 'own' }),
  reach('conversation.reply', '回复会话', 'Reply in conversations', { admin: 'all', supervisor: 'tree', agent: 'own' }),
  reach('conversation.transfer', '转接会话', 'Transfer conversations', { admin: 'all', supervisor: 'tree', agent: 'own' }),
  reach('conversation.close', '结束会话', 'End conversations', { admin: 'all', supervisor: 'tree', agent: 'own' }),
  reach('conversation.archive', '归档聊天记录', 'Archive records', { admin: 'all', supervisor: 'tree' }),
  reach('conversation.delete', '删除聊天记录', 'Delete records', { admin: 'all', agent: 'own' }),
  plain('file.download', '下载会话的全部附件', 'Download all attachments of a record', { admin: true, supervisor: true, agent: true }),
  plain('record.batch', '批量处理聊天记录', 'Work on many records at once', { admin: true }),
  plain('record.restore', '管理回收站', 'Manage the recycle bin', { admin: true }),
  plain('retention.manage', '管理保留规则', 'Manage retention rules', { admin: true }),
  {
    ...plain('conversation.take', '查看并接入排队会话', 'See and take queued conversations', { admin: true, supervisor: true, agent: true }),
    inboxes: true,
  },
  plain('contact.update', '修改客户资料', 'Edit contacts', { admin: true, supervisor: true, agent: true }),
  {
    name: 'contact.personal',
    label: { zh: '查看客户个人信息', en: 'See personal data' },
    scopes: [],
    fields: personalFields,
    grants: { admin: true, supervisor: true, agent: true },
  },
  {
    name: 'contact.reveal',
    label: { zh: '说明原因后查看隐藏的个人信息', en: 'Reveal hidden personal data, with a reason' },
    scopes: [],
    fields: personalFields,
    grants: { admin: true, supervisor: true },
  },
  plain('contact.tag', '给客户打标签', 'Tag contacts', { admin: true, supervisor: true, agent: true }),
  plain('contact.merge', '合并与拆分客户', 'Merge and split contacts', { admin: true, supervisor: true, agent: true }),
  plain('contact.block', '拉黑客户', 'Block contacts', { admin: true, supervisor: true, agent: true }),
  { ...plain('visitor.read', '查看访客', 'See visitors', { admin: true, supervisor: true, agent: true }), inboxes: true },
  reach('report.read', '查看数据概览', 'See the overview and its figures', { admin: 'all', supervisor: 'tree' }),
  plain('category.manage', '管理事项分类与服务小结', 'Manage categories and the service summary', { admin: true }),
  plain('tag.manage', '管理标签', 'Manage tags', { admin: true }),
  plain('agent.manage', '管理客服账号', 'Manage agents', { admin: true }),
  plain('department.manage', '管理部门和技能组', 'Manage departments and skill groups', { admin: true }),
  plain('role.manage', '管理角色与权限', 'Manage roles and permissions', { admin: true }),
  plain('assignment.manage', '管理分配规则', 'Manage assignment rules', { admin: true }),
  plain('role.preview', '以角色身份预览', 'See the hub as a role', { admin: true, supervisor: true }),
  plain('token.manage', '管理接口令牌', 'Manage API tokens', { admin: true }),
  plain('inbox.manage', '管理渠道接入', 'Manage inboxes', { admin: true }),
  plain('plugin.manage', '管理插件', 'Manage plugins', { admin: true }),
  plain('system.read', '查看系统状态', 'See the system page', { admin: true }),
  plain('system.retry', '重新处理已放弃的工作', 'Have given-up work tried again', { admin: true }),
]

/** A plugin's permissions by their full names. */
export const pluginPermissions = ({ id, permissions = [] }: Pick<PluginManifest, 'id' | 'permissions'>): PermissionDefinition[] =>
  permissions.map(({ name, label, grantTo = [], reach }) => ({
    name: `${id}.${name}`,
    label,
    scopes: reach ? scopes : [],
    fields: [],
    grants: reach ?? Object.fromEntries(grantTo.map((role) => [role, true])),
  }))

export type BuiltinRole = 'owner' | 'admin' | 'supervisor' | 'agent'

/** The grants a built-in role starts with. */
export function builtinGrants(role: Exclude<BuiltinRole, 'owner'>, permissions: readonly PermissionDefinition[]): Grant[] {
  return permissions.flatMap((permission) => {
    const grant = permission.grants[role]
    if (!grant) return []
    return [
      {
        permission: permission.name,
        ...(grant === true ? {} : { scope: grant }),
        ...(permission.fields.length > 0 ? { fields: [...permission.fields] } : {}),
      },
    ]
  })
}
