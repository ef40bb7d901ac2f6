/** Redis, and whether it keeps the queue's hints. */
import { Redis } from 'ioredis'
import semver from 'semver'
import type { Env } from '../config/env.ts'
import { type Findings, wordOf } from './findings.ts'

export async function checkRedis(env: Env, findings: Findings): Promise<void> {
  if (env.redisUrl === '') {
    findings.ok('Redis', 'not used: one process')
    return
  }
  const redis = new Redis(env.redisUrl, { lazyConnect: true, maxRetriesPerRequest: 0, retryStrategy: () => null })
  redis.on('error', () => undefined)
  try {
    await redis.connect()
    const version = /redis_version:(\S+)/.exec(await redis.info('server'))?.[1] ?? ''
    if (semver.gte(semver.coerce(version)?.version ?? '0.0.0', '6.2.0')) findings.ok('Redis', version)
    else findings.warn('Redis', version, '6.2 or later is what we test with.')
    const policy = (await redis.config('GET', 'maxmemory-policy').catch(() => [])) as string[]
    if (policy[1] && policy[1] !== 'noeviction')
      findings.warn('Queue', `maxmemory-policy = ${policy[1]}`, 'Set noeviction: an evicted hint makes work wait for the next sweep.')
    else findings.ok('Queue', 'hints are kept')
  } catch (error) {
    findings.bad('Redis', wordOf(error), 'Is it running, and is REDIS_URL right? Without it several processes do not hear of each other.')
  } finally {
    redis.disconnect()
  }
}
