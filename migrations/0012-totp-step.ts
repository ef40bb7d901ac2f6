import type { Migration } from '../core/sdk/plugin.ts'

/** A code of an authenticator counts once. */
export const totpStep: Migration = {
  name: '0012-totp-step',
  mysql: ['alter table `agent` add column `totp_step` int null'],
  sqlite: ['alter table `agent` add column `totp_step` integer null'],
}
