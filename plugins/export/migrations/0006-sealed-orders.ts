import type { Migration } from '@huike/core/sdk/plugin.ts'

/** An order is sealed from now on, hence longer; what is there is sealed in the background. */
export const sealedOrders: Migration = {
  name: '0006-sealed-orders',
  mysql: ['alter table `export_schedule` modify `order` mediumtext not null'],
  sqlite: [],
}
