/**
 * The least a server can do for a message: read it, one durable INSERT of its own, answer, tell the sockets there are.
 * No accounts, no checks, no conversation. What the hub costs is measured against this, on the same machine in the
 * same minute.   node tests/bench/floor.ts PORT mysql://…|FILE.sqlite
 */
import { createServer } from 'node:http'
import { createPool } from 'mysql2'
import { fromCore, type SqliteDatabase } from './from-core.ts'

const [port = '', database = ''] = process.argv.slice(2)
const { Server } = fromCore('socket.io') as typeof import('socket.io')

function mysqlInsert(): (clientId: string, body: string) => Promise<void> {
  const pool = createPool({ uri: database, connectionLimit: 16 })
  return (clientId, body) =>
    new Promise((resolve, reject) =>
      pool.execute('insert into floor (client_id, body, created_at) values (?, ?, ?)', [clientId, body, new Date()], (error) =>
        error ? reject(error) : resolve(),
      ),
    )
}

function sqliteInsert(): (clientId: string, body: string) => Promise<void> {
  const Database = fromCore('better-sqlite3') as new (file: string) => SqliteDatabase
  const db = new Database(database)
  db.exec('pragma journal_mode = wal; pragma synchronous = full')
  db.exec('create table if not exists floor (id integer primary key, client_id text not null, body text not null, created_at integer not null)')
  const statement = db.prepare('insert into floor (client_id, body, created_at) values (?, ?, ?)')
  return async (clientId, body) => void statement.run(clientId, body, Date.now())
}

const insert = database.startsWith('mysql:') ? mysqlInsert() : sqliteInsert()
const server = createServer((request, response) => {
  let text = ''
  request.setEncoding('utf8')
  request.on('data', (piece) => {
    text += piece
  })
  request.on('end', () => {
    const { clientId, parts } = JSON.parse(text) as { clientId: string; parts: unknown[] }
    insert(clientId, JSON.stringify(parts)).then(
      () => {
        response.writeHead(201, { 'content-type': 'application/json' }).end(JSON.stringify({ clientId }))
        if (io.engine.clientsCount > 0) io.emit('conversation', { messages: [{ parts }] })
      },
      (error) => response.writeHead(500).end(String(error)),
    )
  })
})
const io = new Server(server, { path: '/socket', serveClient: false })
io.on('connection', (socket) => socket.on('echo', (data: unknown, answer: (data: unknown) => void) => answer(data)))
server.listen(Number(port), '127.0.0.1', () => console.log('is open'))
process.once('SIGTERM', () => process.exit(0))
