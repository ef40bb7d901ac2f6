import type { Migration } from '../core/sdk/plugin.ts'

/** Where an API token was used last. */
export const tokenAddress: Migration = {
  name: '0010-token-address',
  mysql: ['alter table `api_token` add column `used_ip` varchar(45) null'],
  sqlite: ['alter table `api_token` add column `used_ip` text null'],
}
