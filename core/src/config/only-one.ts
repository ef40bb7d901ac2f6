/** One hub on one SQLite file: two would send the same message, each sure that the other is gone. */
import { rm } from 'node:fs/promises'
import { connect, createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { StartFault } from './start-fault.ts'

/** Longest path that a socket may have on every system. */
const longest = 100

/**
 * Holds the folder for as long as the process lives; returns what lets it go. A socket tells more than a file with a
 * number: that of a process that was killed answers nobody. Throws StartFault when another hub answers there.
 */
export async function holdFolder(dataDir: string): Promise<() => Promise<void>> {
  const path = join(dataDir, 'hub.sock')
  // Where no socket can be, the operator's care is all there is.
  if (path.length > longest) return async () => undefined
  const server = createServer((socket) => socket.destroy())
  for (let tries = 0; ; tries++)
    try {
      await listen(server, path)
      server.unref()
      return () => new Promise((resolve) => server.close(() => resolve()))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') return async () => undefined
      if (tries > 2 || (await answers(path)))
        throw new StartFault(
          `Another hub works on ${dataDir} already: stop it first, or point HUB_DATA elsewhere. Several processes need DATABASE_URL and REDIS_URL.`,
        )
      await rm(path, { force: true })
    }
}

const listen = (server: Server, path: string): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, () => {
      server.off('error', reject)
      resolve()
    })
  })

const answers = (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(path)
    const end = (answered: boolean) => {
      socket.destroy()
      resolve(answered)
    }
    socket.once('connect', () => end(true))
    socket.once('error', () => end(false))
  })
