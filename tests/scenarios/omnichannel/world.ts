/**
 * A tea shop with every channel there is, each connected to a platform of ours: an official account and a mini-program of
 * WeChat, Douyin, its own app, its website, and a mailbox. A page beside the hub is all of its customers' phones: what one
 * writes there goes the way of the real platform, and what an agent answers in the workbench comes out there. The platforms are
 * simulators; they behave as the real ones do, and misbehave at the press of a button. Needs the bundled plugins.
 */
import { createOwner } from '../../../core/src/domain/agent/create-owner.ts'
import { openPlatforms } from '../../support/platforms.ts'
import type { Scenario } from '../scenario.ts'
import { openPhones } from './phones.ts'

const owner = { name: '周敏', email: 'owner@omnichannel.test', password: 'every-channel-of-one-shop', locale: 'zh' as const }

const scenario: Scenario = {
  bundled: true,
  async seed(running) {
    await createOwner(running.hub, owner)
    const platforms = await openPlatforms(running.url, { ...owner, mailSettings: { pollSeconds: 5 } })
    platforms.douyin.server.masksPhones = true
    const phones = await openPhones(running.url, platforms)
    return {
      people: [`${owner.email} / ${owner.password}`],
      lines: [`customers' phones: ${phones.url}`, `mail: ${platforms.email.servers.kind}, throw-away instances of this world`],
      async close() {
        await phones.close()
        await platforms.stop()
      },
    }
  },
}
export default scenario
