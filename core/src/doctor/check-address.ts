/** Whether the hub is reached where it says it is, and whether sockets pass what stands in front of it. */
import { createServer } from 'node:net'
import type { Env } from '../config/env.ts'
import { type Findings, wordOf } from './findings.ts'

const patienceMs = 5_000

/** Nobody else reaches what listens there. */
const isLoopback = (host: string) => host === 'localhost' || host === '::1' || host.startsWith('127.')

export function checkPublicUrl(env: Env, production: boolean, findings: Findings): void {
  if (env.publicUrl !== '') {
    findings.ok('Public URL', env.publicUrl)
    return
  }
  const mend = 'Set HUB_PUBLIC_URL to the address customers and platforms reach the hub at, such as https://chat.example.com.'
  const detail = `HUB_PUBLIC_URL is not set: links and webhooks name http://${env.host}:${env.port}`
  // Others are to reach it: what they are given must lead somewhere.
  if (production || env.databaseUrl !== '' || env.redisUrl !== '' || !isLoopback(env.host)) findings.warn('Public URL', detail, mend)
  else findings.ok('Public URL', `${detail}, which is enough on this machine`)
}

/** Nothing is followed: neither platforms nor WebSockets go where they are sent on to. */
const ask = (url: string): Promise<Response> => fetch(url, { redirect: 'manual', signal: AbortSignal.timeout(patienceMs) })

/** Are these the words of `/readyz`? Any web server answers, many of them 200 to everything. */
async function isHubs(response: Response): Promise<boolean> {
  const said = (await response.json().catch(() => null)) as { ready?: unknown; checks?: unknown } | null
  return typeof said?.ready === 'boolean' && typeof said.checks === 'object'
}
/** Where an address sends on to, when it is the same page of another host or protocol. */
function sentOn(response: Response, asked: string): string | undefined {
  const to = response.status >= 300 && response.status < 400 ? URL.parse(response.headers.get('location') ?? '', asked) : null
  return to && to.href !== asked && to.pathname === new URL(asked).pathname ? to.origin : undefined
}

export async function checkAddress(env: Env, findings: Findings): Promise<void> {
  const base = env.publicUrl || `http://${env.host}:${env.port}`
  try {
    const response = await ask(`${base}/readyz`)
    const further = sentOn(response, `${base}/readyz`)
    if (further) {
      findings.bad('Address', `${base} sends on to ${further}`, `Set HUB_PUBLIC_URL to ${further}: platforms and WebSockets do not follow.`)
      return
    }
    if (!(await isHubs(response))) {
      const mend = env.publicUrl ? 'Start the hub, set HUB_PUBLIC_URL to where it is reached, or let the proxy pass everything to it.' : 'Choose another PORT.'
      findings.bad('Address', `${base}/readyz says ${response.status}, not in the hub’s words: another program answers there`, mend)
      return
    }
    if (response.ok) findings.ok('Address', `${base} answers`)
    else findings.bad('Address', `${base}/readyz says ${response.status}`, 'The hub runs but is not ready: see the findings above.')
    await checkSockets(base, env, findings)
  } catch (error) {
    if (env.publicUrl) findings.bad('Address', `${base}: ${wordOf((error as Error).cause ?? error)}`, 'Check DNS, the proxy and the certificate.')
    else if (await isFree(env)) findings.ok('Address', `${base} is free; the hub is not running`)
    else findings.bad('Address', `${env.host}:${env.port} is taken by another program`, 'Choose another PORT.')
  }
}

/** A handshake alone says nothing: a proxy that drops Upgrade lets it pass. So a real one is opened, as browsers do. */
async function checkSockets(base: string, env: Env, findings: Findings): Promise<void> {
  const polling = await ask(`${base}/socket/?EIO=4&transport=polling`)
  const greets = polling.ok && isGreeting(await polling.text())
  if (!greets) {
    const said = polling.ok ? 'is answered by another program' : `says ${polling.status}`
    findings.bad('Sockets', `the handshake ${said}`, 'The proxy must pass /socket to the hub, with Upgrade and Connection headers.')
    return
  }
  if (await opensWebSocket(base)) {
    findings.ok('Sockets', 'a WebSocket opens and the hub greets')
    return
  }
  const mend = 'The proxy must pass the Upgrade and Connection headers of /socket, over HTTP/1.1.'
  // What is polled for is kept in one process, and a proxy sends each request to another.
  if (env.redisUrl !== '') findings.bad('Sockets', 'no WebSocket opens; browsers poll, which several processes cannot serve', mend)
  else findings.warn('Sockets', 'no WebSocket opens; browsers poll instead, which is slower and costs more', mend)
}

/** The hub's first word, `0` and how the line is to be kept: from another server it would not come. */
const isGreeting = (said: string): boolean => said.startsWith('0{"sid":')

const opensWebSocket = (base: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = new WebSocket(`${base.replace(/^http/, 'ws')}/socket/?EIO=4&transport=websocket`)
    const end = (opened: boolean) => {
      clearTimeout(timer)
      socket.close()
      resolve(opened)
    }
    const timer = setTimeout(end, patienceMs, false)
    socket.addEventListener('message', ({ data }) => end(isGreeting(String(data))), { once: true })
    socket.addEventListener('error', () => end(false), { once: true })
    socket.addEventListener('close', () => end(false), { once: true })
  })

const isFree = (env: Env): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer()
      .once('error', () => resolve(false))
      .listen(env.port, env.host, () => server.close(() => resolve(true)))
  })
