/** Somebody's website: another origin than the hub's (and, by its name, another site), with a policy of its own. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Site {
  origin: string
  close(): Promise<void>
}

/** @param body the page's HTML, below its title, for all paths or by path: a visitor can walk around */
export async function openSite(body: string | ((path: string) => string), headers: Record<string, string> = {}): Promise<Site> {
  const server = createServer((request, response) => {
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', ...headers })
    response.end(
      `<!doctype html><html lang="zh-CN"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,"><title>${request.url === '/' ? '首页' : '商品详情'}</title></head><body><h1>小店</h1><p>欢迎光临</p>${typeof body === 'string' ? body : body(request.url ?? '/')}</body></html>`,
    )
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return {
    origin: `http://localhost:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((done) => {
        server.closeAllConnections()
        server.close(() => done())
      }),
  }
}

/** The one line, as the admin shows it. */
export const snippet = (hubUrl: string, inboxId: string, more = ''): string =>
  `<script async src="${hubUrl}/widget.js" data-inbox="${inboxId}"${more}></script>`
