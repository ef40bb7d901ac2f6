/** The built-in roles: made at the first start; a permission that is new since then (an upgrade, a plugin) is granted once, to whom it is meant for. */
import type { Grant } from '../../../sdk/wire/role.ts'
import { type BuiltinRole, builtinGrants, corePermissions, pluginPermissions } from '../../access/permissions.ts'
import { dropLease, takeLease } from '../../db/lease.ts'
import { newId } from '../../db/types.ts'
import type { Hub } from '../../hub.ts'
import { Setting } from '../setting/setting.entity.ts'
import { Role } from './role.entity.ts'

const names: Record<BuiltinRole, string> = { owner: '所有者', admin: '管理员', supervisor: '主管', agent: '客服' }
const key = 'permissions.known'

export async function seedRoles(hub: Hub): Promise<void> {
  const em = hub.em()
  while (!(await takeLease(em, 'seed', hub.nodeId, 10_000))) await new Promise((resolve) => setTimeout(resolve, 200))
  try {
    await seed(hub)
  } finally {
    // Else the next process to start, and this one after a crash, would wait for it to run out.
    await dropLease(em, 'seed', hub.nodeId)
  }
}

async function seed(hub: Hub): Promise<void> {
  const em = hub.em()
  const all = [...corePermissions, ...hub.kernel.all().flatMap(({ manifest }) => pluginPermissions(manifest))]
  const setting = await em.findOne(Setting, { key }, { disableIdentityMap: true })
  const known = new Set((setting?.value as string[] | undefined) ?? [])
  const fresh = all.filter((permission) => !known.has(permission.name))
  if (fresh.length === 0 && setting) return
  await em.transactional(async (tx) => {
    for (const builtin of Object.keys(names) as BuiltinRole[]) {
      const role = await tx.findOne(Role, { builtin }, { disableIdentityMap: true })
      const added: Grant[] = builtin === 'owner' ? [] : builtinGrants(builtin, fresh)
      if (role) await tx.nativeUpdate(Role, { id: role.id }, { grants: [...role.grants, ...added] })
      else await tx.insert(Role, { id: newId(), builtin, name: names[builtin], grants: added, createdAt: new Date() })
    }
    await tx.upsert(Setting, { key, value: [...known, ...fresh.map(({ name }) => name)], updatedAt: new Date() })
  })
}
