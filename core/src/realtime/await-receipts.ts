/**
 * Whether a workbench has received what was pushed to it. Not each push is answered: a few times a second each socket is asked
 * once, behind its pushes, and its answer is that it has got them all.
 */
import type { Socket } from 'socket.io'

const askEveryMs = 200

export interface Receipts<T> {
  /** `what` was just pushed to this socket. */
  pushed(socket: Socket, id: string, what: T): void
  close(): void
}

/** @param received called for the newest `what` of each id that a socket has got */
export function awaitReceipts<T>(received: (what: T) => void): Receipts<T> {
  const open = new Map<Socket, Map<string, T>>()
  let timer: NodeJS.Timeout | undefined
  function ask(): void {
    timer = undefined
    for (const [socket, pushed] of open) {
      socket.emit('received', () => {
        for (const what of pushed.values()) received(what)
      })
    }
    open.clear()
  }
  return {
    pushed(socket, id, what) {
      const own = open.get(socket) ?? new Map<string, T>()
      open.set(socket, own.set(id, what))
      timer ??= setTimeout(ask, askEveryMs)
    },
    close: () => clearTimeout(timer),
  }
}
