/** Whether the hub is reached where it says it is, and whether sockets pass what stands in front of it. */
import { createServer } from 'node:net'
import type { Env } from '../config/env.ts'
import { type Findings, wordOf } from './findings.ts'

const patienceMs = 5_000

export function checkPublicUrl(env: Env, production: boolean, findings: Findings): void {
  if (env.publicUrl !== '') {
    findings.ok('Public URL', env.publicUrl)
    return
  }
  const mend = 'Set HUB_PUBLIC_URL to the address customers and platforms reach the hub at, such as https://chat.example.com.'
  const detail = `HUB_PUBLIC_URL is not set: links and webhooks name http://${env.host}:${env.port}`
  // Others are to reach it: what they are given must lead somewhere.
  if (production || env.databaseUrl !== '' || env.redisUrl !== '') findings.warn('Public URL', detail, mend)
  else findings.ok('Public URL', `${detail}, which is enough on this machine`)
}

export async function checkAddress(env: Env, findings: Findings): Promise<void> {
  const base = env.publicUrl || `http://${env.host}:${env.port}`
  try {
    const response = await fetch(`${base}/readyz`, { signal: AbortSignal.timeout(patienceMs) })
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
  const polling = await fetch(`${base}/socket/?EIO=4&transport=polling`, { signal: AbortSignal.timeout(patienceMs) })
  if (!polling.ok) {
    findings.bad('Sockets', `the handshake says ${polling.status}`, 'The proxy must pass /socket to the hub, with Upgrade and Connection headers.')
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

const opensWebSocket = (base: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = new WebSocket(`${base.replace(/^http/, 'ws')}/socket/?EIO=4&transport=websocket`)
    const end = (opened: boolean) => {
      clearTimeout(timer)
      socket.close()
      resolve(opened)
    }
    const timer = setTimeout(end, patienceMs, false)
    // The hub's first word, `0` and how the line is to be kept: from another server it would not come.
    socket.addEventListener('message', ({ data }) => end(String(data).startsWith('0{')), { once: true })
    socket.addEventListener('error', () => end(false), { once: true })
    socket.addEventListener('close', () => end(false), { once: true })
  })

const isFree = (env: Env): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer()
      .once('error', () => resolve(false))
      .listen(env.port, env.host, () => server.close(() => resolve(true)))
  })
