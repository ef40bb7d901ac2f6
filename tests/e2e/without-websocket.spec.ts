/** Behind a proxy that lets no WebSocket through, both sides are live all the same: they poll. */
import { openDesk, openShop } from '../flows/open-desk.ts'
import { expect, test } from '../support/e2e.ts'
import { proxyWithoutUpgrade } from '../support/without-upgrade.ts'

test('visitor and agent hear of each other without a WebSocket', async ({ hubUrl, browser }) => {
  const proxy = await proxyWithoutUpgrade(hubUrl)
  try {
    const { workbench } = await openDesk(browser, proxy.url)
    const { shop } = await openShop(browser, proxy.url)
    await shop.say('这里的网络有代理，能收到吗？')
    await workbench.pick('这里的网络有代理')
    // Sent by the socket alone, and never fetched: what the visitor is about to say.
    await shop.chat.getByTestId('visitor-input').pressSequentially('还想问', { delay: 20 })
    await expect(workbench.page.getByText('还想问')).toBeVisible()
    await workbench.reply('收到了')
    await expect(shop.message('收到了')).toBeVisible()
    expect(proxy.refused()).toBeGreaterThan(0)
  } finally {
    proxy.close()
  }
})
