declare module '@20minutes/s3rver' {
  import type { Server } from 'node:http'

  export default class S3rver {
    constructor(options: { port: number; address: string; silent: boolean; directory: string; vhostBuckets: boolean; configureBuckets: { name: string }[] })
    readonly httpServer: Server
    run(): Promise<unknown>
    close(): Promise<void>
  }
}
