import type { Migration } from '../core/sdk/plugin.ts'

/** Codes for who has lost their authenticator. */
export const recoveryCode: Migration = {
  name: '0014-recovery-code',
  mysql: [
    'create table `recovery_code` (`code_hash` varchar(64) not null, `agent_id` varchar(26) not null, `used_at` datetime(3) null, primary key (`code_hash`), index `recovery_code_agent` (`agent_id`)) default character set utf8mb4 collate utf8mb4_bin engine = InnoDB',
  ],
  sqlite: [
    'create table `recovery_code` (`code_hash` text not null primary key, `agent_id` text not null, `used_at` datetime null)',
    'create index `recovery_code_agent` on `recovery_code` (`agent_id`)',
  ],
}
