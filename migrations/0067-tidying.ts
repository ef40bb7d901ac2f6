import type { Migration } from '../core/sdk/plugin.ts'

/** Work on many records that breaks again and again comes to an end; what has had its time is found and goes. */
export const tidying: Migration = {
  name: '0067-tidying',
  mysql: [
    'alter table `record_batch` add column `attempts` int not null default 0',
    'alter table `session` add index `session_expires` (`expires_at`)',
    'alter table `login_throttle` add index `login_throttle_window` (`window_started_at`)',
    'delete from `conversation_tag` where `tag_id` not in (select `id` from `tag`)',
  ],
  sqlite: [
    'alter table `record_batch` add column `attempts` integer not null default 0',
    'create index `session_expires` on `session` (`expires_at`)',
    'create index `login_throttle_window` on `login_throttle` (`window_started_at`)',
    'delete from `conversation_tag` where `tag_id` not in (select `id` from `tag`)',
  ],
}
