/** The list of records: any combination of conditions, with words or without. */
import { type Static, Type } from 'typebox'
import { Value } from 'typebox/value'
import { HubError } from '../../../../sdk/errors.ts'
import type { HubEvents } from '../../../../sdk/events.ts'
import { faultsOf, type RawFault } from '../../../../sdk/faults.ts'
import { PageQuery } from '../../../../sdk/wire/common.ts'
import { FoundField, RecordCount, RecordFilter, RecordPage } from '../../../../sdk/wire/record.ts'
import { maskValue } from '../../../access/mask.ts'
import { starred, starredWho } from '../../../access/mask-text.ts'
import { type Actor, actorOf } from '../../../http/auth.ts'
import type { App } from '../../../http/server.ts'
import type { Hub } from '../../../hub.ts'
import { type Deed, noteTold, tellOnce } from '../../conversation/tell-once.ts'
import { foundFields } from './contact-fields.ts'
import { countMatching, findRecords } from './find-records.ts'
import { checkTimeZone } from './period.ts'

export const FilterQuery = Type.Object({
  /** A `RecordFilter` as JSON. */
  filter: Type.Optional(Type.String({ maxLength: 16_000 })),
  /** The reader's time zone, for "today". */
  tz: Type.Optional(Type.String({ maxLength: 60 })),
})
export const ListQuery = Type.Object({
  ...FilterQuery.properties,
  ...PageQuery.properties,
  /** With what is known of the customers. */
  person: Type.Optional(Type.Boolean()),
})

export function findRoutes(app: App, hub: Hub): void {
  const config = { access: 'agent' as const }

  app.get('/api/records', { config, schema: { querystring: ListQuery, response: { 200: RecordPage } } }, async (request) => {
    const { filter, tz, cursor, limit, person } = request.query
    const actor = actorOf(request)
    const wanted = readFilter(filter)
    const page = await findRecords(hub, actor, wanted, { tz: checkTimeZone(tz ?? 'UTC'), cursor, limit, person })
    await tellOnce(hub, [searchOf(actor, { filter, cursor, person }, { filter: toldFilter(wanted), shown: page.items.length })])
    noteTold(hub, countOf(actor, filter))
    return page
  })

  app.get(
    '/api/records/fields',
    {
      config,
      schema: { summary: "List customers' fields that records are shown with and found by", response: { 200: Type.Object({ items: Type.Array(FoundField) }) } },
    },
    async (request) => ({ items: await foundFields(hub, hub.em(), actorOf(request).ability) }),
  )

  app.get('/api/records/count', { config, schema: { querystring: FilterQuery, response: { 200: RecordCount } } }, async (request) => {
    const { filter, tz } = request.query
    const actor = actorOf(request)
    const wanted = readFilter(filter)
    const at = new Date().toISOString()
    const found = await countMatching(hub, actor, wanted, { tz: checkTimeZone(tz ?? 'UTC') })
    // How many there are says something too: whoever only counts has searched. Of a list that was read it is no news.
    const data = { filter: toldFilter(wanted), shown: 0, counted: found.count }
    await tellOnce(hub, [{ same: countOf(actor, filter), event: { name: 'record.searched', data } }])
    return { ...found, at }
  })
}

const countOf = ({ agent }: Actor, filter = ''): Deed['same'] => ['count', agent.id, filter]

/** That somebody searched, to be told once. */
export const searchOf = (
  { agent }: Actor,
  { filter = '', cursor = '', person = false }: Static<typeof ListQuery>,
  data: HubEvents['record.searched'],
): Deed => ({
  same: ['search', agent.id, filter, cursor, person ? 'person' : ''],
  event: { name: 'record.searched', data: { ...data, ...(cursor ? { further: true } : {}) } },
})

/** What was looked for, as it may be told: who somebody looked for stays recognisable, and no more. */
export function toldFilter({ keyword, contact, fields, ...rest }: RecordFilter): RecordFilter {
  return {
    ...rest,
    ...(keyword === undefined ? {} : { keyword: starred(keyword) }),
    ...(contact === undefined ? {} : { contact: starredWho(contact) }),
    ...(fields === undefined ? {} : { fields: fields.map(({ name, value }) => ({ name, value: maskValue(value) })) }),
  }
}

/** Throws HUB_REQUEST_INVALID with what is wrong, field by field. */
export function readFilter(text = '{}'): Static<typeof RecordFilter> {
  let filter: unknown
  try {
    filter = JSON.parse(text)
  } catch {
    throw new HubError('HUB_REQUEST_INVALID', 'The filter is no JSON', { path: '/filter' })
  }
  if (Value.Check(RecordFilter, filter)) return filter
  throw new HubError('HUB_REQUEST_INVALID', 'The filter is not valid', { faults: faultsOf(Value.Errors(RecordFilter, filter) as RawFault[], 'filter') })
}
