/** What the API's page says of every route without the route's help: its noun, what it does in plain words, who may use it. */
import type { FastifyDynamicSwaggerOptions } from '@fastify/swagger'
import type { RouteAccess } from './auth.ts'

type Transform = NonNullable<FastifyDynamicSwaggerOptions['transform']>

export const describeRoute: Transform = ({ schema, url, route }) => {
  const { access } = route.config ?? {}
  if (schema?.hide || !access) return { schema, url }
  const { tags, summary, description } = schema ?? {}
  const said = {
    tags: tags ?? [tagOf(url)],
    summary: summary ?? summaryOf(String(route.method), url),
    description: [description, accessOf(access)].filter(Boolean).join('\n\n'),
  }
  return { schema: { ...schema, ...said }, url }
}

const segmentsOf = (url: string): string[] => url.split('/').slice(2)

export function tagOf(url: string): string {
  const [noun = '', plugin] = segmentsOf(url)
  return noun === 'x' ? `plugin: ${plugin}` : words(noun)
}

export function accessOf(access: RouteAccess): string {
  if (access === 'public') return '**Access:** public, without signing in.'
  if (access === 'agent') return '**Access:** any agent who is signed in; their permissions decide what is shown and done.'
  if (access === 'person') return '**Access:** any agent who is signed in, in person: not with an API token.'
  const permissions = [access.permission].flat().map((permission) => `\`${permission}\``)
  return `**Access:** ${permissions.length > 1 ? 'one of the permissions' : 'the permission'} ${permissions.join(', ')}${access.person ? ', in person: not with an API token' : ''}.`
}

/** `POST /api/conversations/:id/transfer` is "Transfer a conversation". */
export function summaryOf(method: string, url: string): string {
  const things = thingsOf(segmentsOf(url))
  const last = things.pop()
  if (!last) return method
  const owner = things.at(-1)
  const of = owner ? ` of ${one(owner.name)}` : ''
  const many = isMany(last.name)
  const named = last.single ? one(last.name) : many || isOwn(last.name) ? last.name : `the ${last.name}`
  const verb = { GET: last.single || !many ? 'Read' : 'List', PUT: 'Set', PATCH: 'Change', DELETE: 'Delete' }[method]
  if (verb) return `${verb} ${named}${of}${last.as}`
  // What is posted to several makes one more of them; what is posted to one word is that word done.
  if (many) return `Create ${one(last.name)}${of}`
  return `${last.name.charAt(0).toUpperCase()}${last.name.slice(1)}${owner ? ` ${one(owner.name)}` : ''}`
}

/** The nouns of a path in order; `single` when the path says which one. */
function thingsOf(segments: string[]) {
  const things: { name: string; single: boolean; as: string }[] = []
  let fresh = true
  for (const segment of segments[0] === 'x' ? segments.slice(2) : segments) {
    const last = things.at(-1)
    if (segment.startsWith(':') || segment === '*') {
      if (last) last.single = true
      fresh = true
      continue
    }
    const [noun = '', format] = segment.split('.')
    const as = format ? ` as ${format.toUpperCase()}` : ''
    if (fresh || !last) things.push({ name: noun === 'me' ? 'your account' : words(noun), single: false, as })
    else Object.assign(last, { name: `${last.name === 'your account' ? 'your' : singular(last.name)} ${words(noun)}`, as })
    fresh = false
  }
  return things
}

const words = (segment: string): string => segment.replaceAll('-', ' ')
const isMany = (name: string): boolean => /[^s]s$/.test(name)
const isOwn = (name: string): boolean => name.startsWith('your ')
const singular = (name: string): string => (isMany(name) ? name.replace(/ies$/, 'y').replace(/xes$/, 'x').replace(/s$/, '') : name)
const one = (name: string): string => {
  const single = singular(name)
  return isOwn(name) ? single : `${/^([aeio]|u(?!s|ni))/.test(single) ? 'an' : 'a'} ${single}`
}
