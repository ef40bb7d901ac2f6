/** Places that an admin has named for files: below a folder that the operator allows, or in a bucket. */
import { HubError } from '@huike/core/sdk/errors.ts'
import type { Outlet } from '@huike/core/sdk/outlets.ts'
import { type Static, Type } from 'typebox'
import type { Ctx } from './context.ts'
import type { ExportDestination } from './schedule.entity.ts'

/** Folders below each other; none of them leads up or hides. */
const folders = '^(?![./])(?!.*/[./])[^\\\\:*?"<>|\\u0000-\\u001f]*$'
export const Place = Type.Union([
  Type.Object({ kind: Type.Literal('folder'), path: Type.String({ maxLength: 200, pattern: folders }) }, { additionalProperties: false }),
  Type.Object(
    {
      kind: Type.Literal('bucket'),
      endpoint: Type.String({ maxLength: 200, pattern: '^https?://[^/?#@\\s]+/?$' }),
      region: Type.String({ pattern: '^[\\w-]{1,40}$' }),
      bucket: Type.String({ pattern: '^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$' }),
      accessKey: Type.String({ minLength: 1, maxLength: 200 }),
      pathStyle: Type.Boolean(),
      prefix: Type.String({ maxLength: 200, pattern: folders }),
    },
    { additionalProperties: false },
  ),
])
export type Place = Static<typeof Place>

export function outletOf(ctx: Ctx, row: ExportDestination): Outlet {
  const place = JSON.parse(row.place) as Place
  if (place.kind === 'folder') return ctx.outlet(place)
  const secretKey = ctx.unseal(row.secretKey)
  if (secretKey === undefined) throw new HubError('HUB_SETTINGS_SEALED', 'The secret key was sealed with another HUB_SECRET')
  return ctx.outlet({ ...place, secretKey, allowPrivate: ctx.settings.allowPrivateAddresses })
}

/** Why it did not work, in a word that the page has a sentence for. */
export function faultOf(error: unknown): string {
  if (!(error instanceof HubError)) return 'HUB_INTERNAL'
  const { fault } = (error.details ?? {}) as { fault?: unknown }
  return typeof fault === 'string' ? fault : error.code
}
