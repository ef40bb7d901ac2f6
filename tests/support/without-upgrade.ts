/** A proxy as many companies have it: requests pass, a WebSocket does not. */
import { createServer, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

export async function proxyWithoutUpgrade(target: string): Promise<{ url: string; refused(): number; close(): void }> {
  const to = new URL(target)
  let refused = 0
  const server: Server = createServer((asked, answer) => {
    const { upgrade: _upgrade, connection: _connection, ...headers } = asked.headers
    const passed = request({ host: to.hostname, port: to.port, path: asked.url, method: asked.method, headers }, (from) => {
      answer.writeHead(from.statusCode ?? 502, from.headers)
      from.pipe(answer)
    })
    passed.on('error', () => answer.destroy())
    answer.on('close', () => passed.destroy())
    asked.pipe(passed)
  })
  server.on('upgrade', (_request, socket) => {
    refused++
    socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    refused: () => refused,
    close() {
      server.close()
      server.closeAllConnections()
    },
  }
}
