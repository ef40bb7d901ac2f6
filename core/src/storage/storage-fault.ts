/** What can be wrong with a storage, in words an operator can act on. */
import { HubError } from '../../sdk/errors.ts'

const remedies = {
  unreachable: ['the storage does not answer', 'Is it running, and is S3_ENDPOINT right? Look at DNS, the firewall and the certificate.'],
  busy: ['the storage is overloaded or restarting', 'Nothing is lost: files are taken again as soon as it answers.'],
  credentials: ['the storage does not accept the keys', 'Correct S3_ACCESS_KEY and S3_SECRET_KEY.'],
  forbidden: ['the keys may not do this', 'Grant s3:GetObject, s3:PutObject, s3:DeleteObject and s3:ListBucket on the bucket to S3_ACCESS_KEY.'],
  clock: ['the clock of this machine differs from the storage’s', 'Synchronise it (NTP): requests more than 15 minutes off are refused.'],
  bucket: ['there is no such bucket', 'Make the bucket, or correct S3_BUCKET and S3_PATH_STYLE.'],
  region: ['the bucket is in another region', 'Set S3_REGION, and S3_ENDPOINT if it names a region, to the one of the bucket.'],
  full: ['the storage is full', 'Free some space or raise the quota.'],
  private: ['the address leads inside the network', 'Give a public https address, or allow inner addresses where it is set up.'],
  nowhere: ['no folder is allowed', 'Set HUB_OUTPUT_DIR to a folder that files may be put into.'],
  disk: ['the folder of files cannot be used', 'Make HUB_DATA writable for this user, and look at the disk’s health.'],
  other: ['the storage refused', 'See the hub’s log for what it said.'],
} as const

export type FaultKind = keyof typeof remedies
export const faultKinds = Object.keys(remedies) as FaultKind[]

export class StorageFault extends HubError {
  readonly fault: FaultKind
  /** For the log and the doctor; names addresses, so it does not go on the wire. */
  readonly detail: string
  readonly remedy: string

  constructor(fault: FaultKind, detail: string, options?: { cause?: unknown }) {
    super('HUB_STORAGE_UNAVAILABLE', `Files cannot be stored or read now: ${remedies[fault][0]}`, { fault })
    this.fault = fault
    this.detail = detail
    this.remedy = remedies[fault][1]
    if (options?.cause !== undefined) this.cause = options.cause
  }
}
