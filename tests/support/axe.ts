/** What axe finds on a page and nobody may ship. */
import AxeBuilder from '@axe-core/playwright'
import type { Page } from '@playwright/test'

/** Moderate ones that are held all the same: by them somebody who does not see the page finds their way in it. */
const held = ['landmark-one-main', 'landmark-unique', 'region', 'heading-order', 'page-has-heading-one', 'empty-table-header']

/** Each fault with where it is. `looks`: only what changes with the colours. `include`: a part of the page. */
export async function axeFaults(page: Page, what: string, { looks = false, include }: { looks?: boolean; include?: string } = {}): Promise<string[]> {
  // In one go in the page itself: the other way opens a page for each answer.
  const builder = new AxeBuilder({ page }).setLegacyMode(true).options({ resultTypes: ['violations'] })
  if (include) builder.include(include)
  if (looks) builder.withRules(['color-contrast', 'link-in-text-block'])
  const { violations } = await builder.analyze()
  return violations
    .filter(({ id, impact }) => impact === 'serious' || impact === 'critical' || held.includes(id))
    .map(({ id, nodes }) => `${what}: ${id} ${nodes.map((n) => n.target.join(' ')).join(', ')}`)
}
