import type { Migration } from '../core/sdk/plugin.ts'

/** How far agents have received what the customer wrote. */
export const agentDelivered: Migration = {
  name: '0068-agent-delivered',
  mysql: ['alter table `conversation` add `agent_delivered_seq` int not null default 0'],
  sqlite: ['alter table `conversation` add column `agent_delivered_seq` integer not null default 0'],
}
