/** A page that was open while the hub was upgraded asks for pieces that are no longer there: it is fetched anew. */
import { get } from './api.ts'

const stored = 'huike.fetchedAnew'
/** A piece that is still missing after that is missing for another reason. */
const onceInMs = 30_000

export function followUpgrades(): void {
  addEventListener('vite:preloadError', async () => {
    if (Date.now() - Number(sessionStorage.getItem(stored)) < onceInMs) return
    // Without a line the page that is there is all one has.
    if (!(await get('/setup').catch(() => undefined))) return
    sessionStorage.setItem(stored, String(Date.now()))
    location.reload()
  })
}
