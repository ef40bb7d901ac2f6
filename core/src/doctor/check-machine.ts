/** What the hub stands on here: Node, the disk, the storage of files. */
import { accessSync, constants, existsSync, statfsSync } from 'node:fs'
import { dirname } from 'node:path'
import semver from 'semver'
import type { Env } from '../config/env.ts'
import { newId } from '../db/types.ts'
import { filesDir, openFileStore } from '../storage/open-file-store.ts'
import { StorageFault } from '../storage/storage-fault.ts'
import { type Findings, wordOf } from './findings.ts'

export function checkNode(findings: Findings, version = process.version): void {
  if (semver.satisfies(version, '>=24')) findings.ok('Node', version)
  else findings.bad('Node', version, 'Start with npm scripts: they run the pinned Node 24.')
}

const freeBytes = (folder: string): number => {
  const { bavail, bsize } = statfsSync(folder)
  return bavail * bsize
}

export function checkDisk(env: Env, findings: Findings, freeOf = freeBytes): void {
  try {
    // A folder that is not there yet is made by the start, below one that is.
    let at = env.dataDir
    while (!existsSync(at) && at !== dirname(at)) at = dirname(at)
    accessSync(at, constants.R_OK | constants.W_OK | constants.X_OK)
    const freeGb = freeOf(at) / 2 ** 30
    const where = at === env.dataDir ? env.dataDir : `${env.dataDir}, which is not there yet: npm start makes it`
    if (freeGb < 1) findings.warn('Disk', `${freeGb.toFixed(1)} GB free in ${where}`, 'Free some space: below 0.5 GB files can no longer be taken in.')
    else findings.ok('Disk', `${freeGb.toFixed(0)} GB free in ${where}`)
  } catch (error) {
    findings.bad('Disk', `${env.dataDir}: ${wordOf(error)}`, 'Make the folder writable for this user, or point HUB_DATA elsewhere.')
  }
}

/** Stores, reads and removes a file, as the hub would. */
export async function checkStorage(env: Env, findings: Findings): Promise<void> {
  const where = env.s3 ? `${env.s3.endpoint} bucket ${env.s3.bucket}` : 'on the disk'
  if (!env.s3 && !existsSync(filesDir(env))) {
    findings.ok('Files', `${where}: no folder of files yet, npm start makes it`)
    return
  }
  try {
    const store = openFileStore(env)
    await store.check()
    const key = `doctor-${newId()}`
    await store.put(key, Buffer.from(key))
    const read = await store.bytes(key)
    await store.remove(key)
    if (read?.toString() !== key)
      findings.bad('Files', `${where}: gives back something else than was stored`, 'Another program changes the bucket: look at its rules and proxies.')
    else findings.ok('Files', `${where}: stored, read and removed one`)
  } catch (error) {
    if (!(error instanceof StorageFault)) throw error
    findings.bad('Files', `${where}: ${error.detail}`, error.remedy)
  }
}
