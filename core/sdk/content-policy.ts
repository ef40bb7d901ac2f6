/** What a page's policy says of its own live line. */

/**
 * The hub's own sockets, for `connect-src` beside `'self'`, in which browsers before 2024 do not count them. Under the
 * name the page was asked for by, and the public one; no other host is among them.
 * @param host of the request: a name that is none is left out, since it would be written into the header
 */
export function lineSources(host: string | undefined, publicUrl: string): string[] {
  const sources: string[] = []
  // Behind a proxy that ends TLS the request does not tell which of the two the page uses.
  if (host && /^(?:[\w.-]+|\[[\da-f:.]+\])(?::\d+)?$/i.test(host)) sources.push(`ws://${host}`, `wss://${host}`)
  if (publicUrl !== '') sources.push(new URL(publicUrl).origin.replace(/^http/, 'ws'))
  return [...new Set(sources)]
}
