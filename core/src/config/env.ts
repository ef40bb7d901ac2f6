/** The environment: one documented field per variable. Every fault is printed at once, then exit 1. */
import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { resolve } from 'node:path'
import { type DataKey, parseDataKeys } from '../sealing/keyring.ts'
import type { S3Settings } from '../storage/s3-client.ts'

export interface Env {
  /** Where data lives: the SQLite file, uploaded files, the hub's own key. */
  dataDir: string
  host: string
  port: number
  /** The address customers and platforms reach; without it the listening address is used. */
  publicUrl: string
  /** `mysql://…` for the served profile; empty = SQLite in the data folder. */
  databaseUrl: string
  /** `redis://…` for several processes; empty = everything in this process. */
  redisUrl: string
  /** 32 bytes or more; empty = made once and kept in the data folder. */
  secret: string
  /** What personal fields and files are sealed with, the first of them; the others open. */
  dataKeys: DataKey[]
  ownerEmail: string
  ownerLocale: 'zh' | 'en'
  ownerPassword: string
  logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent'
  /** Folders or package names of plugins besides those of the `plugins` folder. */
  extraPlugins: string[]
  /** Folder of the bundled plugins. */
  pluginsDir: string
  /** Is a reverse proxy in front, whose X-Forwarded-For is to be believed? A list of addresses or `true`. */
  trustProxy: boolean | string
  roles: { web: boolean; worker: boolean }
  /** Files live in this bucket; undefined = below the data folder. */
  s3: S3Settings | undefined
  /** Folder below which plugins may put files for others; empty = none. */
  outputDir: string
  /** How long the start waits for a database that does not answer yet. */
  databaseWaitSeconds: number
}

interface Field {
  name: string
  default: string
  /** One line for the operator; `core/docs/env.md` is held to it by a test. */
  doc: string
  check?: (value: string) => string | undefined
}

const oneOf =
  (...values: string[]) =>
  (value: string) =>
    values.includes(value) ? undefined : `must be one of ${values.join(', ')}`
const url =
  (...protocols: string[]) =>
  (value: string) => {
    if (value === '') return undefined
    const parsed = URL.parse(value)
    if (!parsed) return 'is not a URL'
    return protocols.includes(parsed.protocol) ? undefined : `must start with ${protocols.map((p) => `${p}//`).join(' or ')}`
  }

const address = (value: string): string | undefined =>
  url('http:', 'https:')(value) ?? (value === '' || URL.parse(value)?.pathname === '/' ? undefined : 'must be an address without a path')
/** As the sign-in takes it: an owner with another one could never come in. */
const email = (value: string): string | undefined =>
  value === '' || /^[^\s@"(),:;<>[\]\\]{1,64}@(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z0-9-]*[a-z0-9]$/i.test(value) ? undefined : 'is not an e-mail address'
const networks = new Set(['loopback', 'linklocal', 'uniquelocal'])
/** `caddy`, `yes` or `1` would trust nobody, or end the start. */
function proxies(value: string): string | undefined {
  if (value === '' || value === 'true' || value === 'false') return undefined
  const wrong = value
    .split(',')
    .map((one) => one.trim())
    .find((one) => {
      const [ip = '', bits, ...more] = one.split('/')
      const size = isIP(ip) === 6 ? 128 : 32
      return !networks.has(one) && (isIP(ip) === 0 || more.length > 0 || (bits !== undefined && !(/^\d{1,3}$/.test(bits) && Number(bits) <= size)))
    })
  return wrong === undefined ? undefined : `must be true, or addresses, networks (10.0.0.0/8), loopback, linklocal, uniquelocal: not ${wrong}`
}

export const envFields: readonly Field[] = [
  { name: 'HUB_DATA', default: './data', doc: 'Folder of the SQLite file, uploaded files (without a bucket) and the key.' },
  { name: 'HOST', default: '127.0.0.1', doc: 'Address to listen on; 0.0.0.0 for all.' },
  {
    name: 'PORT',
    default: '3000',
    doc: 'Port to listen on; 0 picks a free one.',
    check: (v) => (/^\d{1,5}$/.test(v) && Number(v) < 65_536 ? undefined : 'must be a port, 0 to 65535'),
  },
  {
    name: 'HUB_PUBLIC_URL',
    default: '',
    doc: 'Address customers and platforms reach the hub at, such as https://chat.example.com.',
    check: address,
  },
  {
    name: 'DATABASE_URL',
    default: '',
    doc: 'mysql://user:password@host:3306/name for MySQL 8 or MariaDB 10.11 and later; empty means SQLite.',
    check: url('mysql:', 'mariadb:'),
  },
  {
    name: 'DATABASE_WAIT',
    default: '60',
    doc: 'Seconds the start waits for a database that does not answer yet; 0 ends at once.',
    check: (v) => (/^\d{1,4}$/.test(v) ? undefined : 'must be a number of seconds, 0 to 9999'),
  },
  {
    name: 'REDIS_URL',
    default: '',
    doc: 'redis://host:6379/0; needed for more than one process.',
    check: url('redis:', 'rediss:'),
  },
  {
    name: 'HUB_SECRET',
    default: '',
    doc: 'At least 32 characters that sign and encrypt; empty means one is made and kept in HUB_DATA. All processes need the same.',
    check: (v) => (v === '' || v.length >= 32 ? undefined : 'must have at least 32 characters'),
  },
  {
    name: 'HUB_DATA_KEY',
    default: '',
    doc: 'Keys that seal personal fields and files, id:key,id:key with 32 bytes in base64 or hex each; the first seals, all open. Empty means one derived from HUB_SECRET. All processes need the same.',
  },
  { name: 'HUB_DATA_KEY_FILE', default: '', doc: 'A file with what HUB_DATA_KEY would say, one key a line.' },
  {
    name: 'S3_BUCKET',
    default: '',
    doc: 'Bucket of an S3-compatible storage for uploaded files; empty means they are kept in HUB_DATA. All processes need the same.',
    check: (v) => (v === '' || /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(v) ? undefined : 'must be the name of a bucket'),
  },
  {
    name: 'S3_ENDPOINT',
    default: '',
    doc: 'Address of the storage without the bucket, such as https://minio.example.com:9000; empty means AWS in S3_REGION.',
    check: address,
  },
  {
    name: 'S3_REGION',
    default: 'us-east-1',
    doc: 'Region of the bucket; any word for storages without regions.',
    check: (v) => (/^[\w-]{1,40}$/.test(v) ? undefined : 'must be the name of a region'),
  },
  { name: 'S3_ACCESS_KEY', default: '', doc: 'Key that may get, put, delete and list the bucket’s objects.' },
  { name: 'S3_SECRET_KEY', default: '', doc: 'The secret that belongs to S3_ACCESS_KEY.' },
  {
    name: 'S3_PATH_STYLE',
    default: 'true',
    doc: 'true puts the bucket into the path (MinIO, Ceph); false into the host name (Aliyun OSS, Tencent COS).',
    check: oneOf('true', 'false'),
  },
  {
    name: 'S3_PREFIX',
    default: '',
    doc: 'Folder inside the bucket, for one that is shared.',
    check: (v) => (v === '' || /^[\w-][\w.-]*(\/[\w-][\w.-]*)*\/?$/.test(v) ? undefined : 'may have letters, digits, - _ . and / only'),
  },
  {
    name: 'HUB_OUTPUT_DIR',
    default: '',
    doc: 'Folder below which admins may let files be put for others to fetch, such as scheduled exports; empty allows none. All processes need the same.',
  },
  { name: 'HUB_OWNER_EMAIL', default: '', doc: 'With HUB_OWNER_PASSWORD: creates the owner at the first start.', check: email },
  { name: 'HUB_OWNER_PASSWORD', default: '', doc: "The owner's first password." },
  { name: 'HUB_OWNER_LOCALE', default: 'zh', doc: "The owner's language, in which the first inboxes are named: zh or en.", check: oneOf('zh', 'en') },
  {
    name: 'LOG_LEVEL',
    default: 'info',
    doc: 'debug, info, warn, error or silent.',
    check: oneOf('debug', 'info', 'warn', 'error', 'silent'),
  },
  { name: 'HUB_PLUGINS', default: '', doc: 'Comma-separated folders or npm packages of further plugins.' },
  { name: 'HUB_PLUGINS_DIR', default: '', doc: 'Folder of the bundled plugins; empty means the one beside the core.' },
  {
    name: 'HUB_TRUST_PROXY',
    default: '',
    doc: 'true, or the proxies whose X-Forwarded-For is believed, such as 10.0.0.0/8; empty or false trusts none.',
    check: proxies,
  },
  {
    name: 'HUB_ROLE',
    default: 'all',
    doc: 'web serves people, worker does the background work, all does both. Same as --role.',
    check: oneOf('all', 'web', 'worker'),
  },
]

export class EnvError extends Error {
  readonly faults: string[]
  constructor(faults: string[]) {
    super(`The environment has ${faults.length === 1 ? 'a fault' : `${faults.length} faults`}:\n${faults.map((f) => `  - ${f}`).join('\n')}`)
    this.faults = faults
  }
}

/** Reads the environment and `--role`; throws {@link EnvError} naming every fault. */
export function readEnv(source: Record<string, string | undefined>, argv: readonly string[] = []): Env {
  const faults: string[] = []
  const values: Record<string, string> = {}
  for (const field of envFields) {
    const value = source[field.name]?.trim() || field.default
    const fault = field.check?.(value)
    if (fault) faults.push(`${field.name} ${fault}`)
    values[field.name] = value
  }
  const at = argv.indexOf('--role')
  if (at >= 0) {
    const role = argv[at + 1] ?? ''
    if (['web', 'worker', 'all'].includes(role)) values.HUB_ROLE = role
    else faults.push('--role must be followed by web, worker or all')
  }
  const get = (name: string) => values[name] ?? ''
  if ((get('HUB_OWNER_EMAIL') === '') !== (get('HUB_OWNER_PASSWORD') === '')) faults.push('HUB_OWNER_EMAIL and HUB_OWNER_PASSWORD go together')
  if (get('HUB_ROLE') !== 'all' && (get('DATABASE_URL') === '' || get('REDIS_URL') === ''))
    faults.push('HUB_ROLE other than all needs DATABASE_URL and REDIS_URL: several processes share them')
  const [bucket, ...ofBucket] = ['S3_BUCKET', 'S3_ACCESS_KEY', 'S3_SECRET_KEY'].map((name) => get(name) !== '')
  if (bucket ? !ofBucket.every(Boolean) : ofBucket.some(Boolean)) faults.push('S3_BUCKET, S3_ACCESS_KEY and S3_SECRET_KEY go together')
  if (!bucket && get('S3_ENDPOINT') !== '') faults.push('S3_ENDPOINT needs S3_BUCKET')
  const dataKeys = readDataKeys(get('HUB_DATA_KEY'), get('HUB_DATA_KEY_FILE'), faults)
  if (faults.length > 0) throw new EnvError(faults)
  const proxy = get('HUB_TRUST_PROXY')
  return {
    dataDir: resolve(get('HUB_DATA')),
    host: get('HOST'),
    port: Number(get('PORT')),
    publicUrl: get('HUB_PUBLIC_URL').replace(/\/+$/, ''),
    databaseUrl: get('DATABASE_URL').replace(/^mariadb:/, 'mysql:'),
    redisUrl: get('REDIS_URL'),
    secret: get('HUB_SECRET'),
    dataKeys,
    ownerEmail: get('HUB_OWNER_EMAIL'),
    ownerLocale: get('HUB_OWNER_LOCALE') as Env['ownerLocale'],
    ownerPassword: get('HUB_OWNER_PASSWORD'),
    logLevel: get('LOG_LEVEL') as Env['logLevel'],
    extraPlugins: get('HUB_PLUGINS')
      .split(',')
      .map((p) => p.trim())
      .filter(Boolean),
    pluginsDir: resolve(get('HUB_PLUGINS_DIR') || resolve(import.meta.dirname, '../../../plugins')),
    trustProxy: proxy === 'true' ? true : proxy === 'false' ? false : proxy || false,
    s3: bucket
      ? {
          endpoint: get('S3_ENDPOINT') || `https://s3.${get('S3_REGION')}.amazonaws.com`,
          region: get('S3_REGION'),
          bucket: get('S3_BUCKET'),
          accessKey: get('S3_ACCESS_KEY'),
          secretKey: get('S3_SECRET_KEY'),
          pathStyle: get('S3_PATH_STYLE') === 'true',
          prefix: get('S3_PREFIX').replace(/([^/])\/?$/, '$1/'),
        }
      : undefined,
    outputDir: get('HUB_OUTPUT_DIR') && resolve(get('HUB_OUTPUT_DIR')),
    databaseWaitSeconds: Number(get('DATABASE_WAIT')),
    roles: { web: get('HUB_ROLE') !== 'worker', worker: get('HUB_ROLE') !== 'web' },
  }
}

function readDataKeys(inline: string, file: string, faults: string[]): DataKey[] {
  if (inline && file) faults.push('HUB_DATA_KEY and HUB_DATA_KEY_FILE: give one of them')
  const name = file ? 'HUB_DATA_KEY_FILE' : 'HUB_DATA_KEY'
  try {
    return parseDataKeys(file ? readFileSync(file, 'utf8') : inline)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    faults.push(`${name} ${code ? `cannot be read (${code})` : message}`)
    return []
  }
}
