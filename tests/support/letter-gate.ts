/** A door in front of a TCP server: it can be shut, slammed, or let a letter in and keep the answer. */

import type { AddressInfo } from 'node:net'
import { createConnection, createServer, type Server, type Socket } from 'node:net'

export class LetterGate {
  readonly #target: number
  readonly #sockets = new Set<Socket>()
  #server: Server | undefined
  #holding: PromiseWithResolvers<void> | undefined
  port = 0
  /** Letters that were let in while answers are kept. */
  held = 0

  constructor(target: number) {
    this.#target = target
  }

  async start(port = 0): Promise<this> {
    this.#server = createServer((inner) => this.#join(inner))
    await new Promise<void>((resolve) => this.#server?.listen(port, '127.0.0.1', resolve))
    this.port = (this.#server.address() as AddressInfo).port
    return this
  }

  #join(inner: Socket): void {
    const outer = createConnection({ host: '127.0.0.1', port: this.#target })
    let kept: Promise<void> = Promise.resolve()
    let tail = ''
    for (const socket of [inner, outer]) {
      this.#sockets.add(socket)
      socket.on('error', () => undefined)
      socket.once('close', () => {
        this.#sockets.delete(socket)
        inner.destroy()
        outer.destroy()
      })
    }
    inner.on('data', (chunk: Buffer) => {
      tail = (tail + chunk.toString('latin1')).slice(-5)
      // The end of a letter: from here on it is the server's.
      if (this.#holding && tail === '\r\n.\r\n') {
        this.held++
        kept = this.#holding.promise
      }
      outer.write(chunk)
    })
    outer.on('data', (chunk: Buffer) => void kept.then(() => inner.write(chunk)))
  }

  /** The answers to letters are kept until the returned function is called. */
  hold(): () => void {
    const holding = Promise.withResolvers<void>()
    this.#holding = holding
    this.held = 0
    return () => {
      this.#holding = undefined
      holding.resolve()
    }
  }

  /** Every connection there is breaks off. */
  slam(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  /** Nobody answers until the returned function is called. */
  async goDown(): Promise<() => Promise<void>> {
    const { port } = this
    await this.stop()
    return async () => void (await this.start(port))
  }

  async stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server?.close(() => resolve()))
    this.slam()
    await closed
  }
}
