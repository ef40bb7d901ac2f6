/** Places outside of the hub that files are put to: a folder that the operator allows, a bucket that an admin names. */

export interface BucketSettings {
  /** Without the bucket: `https://minio.example.com:9000`. */
  endpoint: string
  region: string
  bucket: string
  accessKey: string
  secretKey: string
  /** `endpoint/bucket/key` rather than `bucket.endpoint/key`. */
  pathStyle: boolean
  /** Folder inside the bucket; may be empty. */
  prefix: string
}

export type OutletTarget =
  | { kind: 'folder' /** Below HUB_OUTPUT_DIR; may be empty. */; path: string }
  | ({ kind: 'bucket' /** Addresses inside the network and plain HTTP, where an admin has said so. */; allowPrivate?: boolean } & BucketSettings)

/**
 * Both verbs throw HUB_STORAGE_UNAVAILABLE with `details.fault`: what is wrong, in a word (`unreachable`, `credentials`,
 * `bucket`, `full`, `private`: the address leads inside the network, `nowhere`: the operator allows no folder, …); and
 * HUB_REQUEST_INVALID for a path or a name that leads elsewhere.
 */
export interface Outlet {
  /** Whole and durable under this name when it resolves; what had the name is replaced. One plain name, no folders. */
  put(name: string, chunks: AsyncIterable<Uint8Array>): Promise<void>
  /** Asks at once whether it would take files. */
  check(): Promise<void>
}
