/** What the hub offers to whoever is signed in. It changes as plugins come and go, and rights are given and taken. */
import { onMounted, onUnmounted } from 'vue'
import { useI18n } from 'vue-i18n'
import { useRealtime } from './realtime.ts'
import { useSession } from './session.store.ts'
import { loadPluginUis } from './slots.ts'

/** Follows it for as long as the app's shell is there: on news, and after every connect, for what was missed meanwhile. */
export function useOffer(app: 'workbench' | 'admin') {
  const session = useSession()
  const { mergeLocaleMessage } = useI18n()
  const realtime = useRealtime()
  const load = () => loadPluginUis(session.me?.plugins ?? [], app, (locale, words) => mergeLocaleMessage(locale, words))

  let running: Promise<void> | undefined
  let again = false
  /** One at a time, and once more for whoever asks meanwhile: an answer on its way may be older than the news. */
  function refresh(): Promise<void> {
    again = running !== undefined
    running ??= (async () => {
      try {
        do {
          again = false
          try {
            await session.load()
            await load()
          } catch (error) {
            if (!again) throw error
          }
        } while (again)
      } finally {
        running = undefined
      }
    })()
    return running
  }

  const undo = [realtime.on('plugin.switched', () => void refresh().catch(() => undefined)), realtime.onResync(refresh)]
  onMounted(() => void load())
  onUnmounted(() => {
    for (const take of undo) take()
  })
  return { refresh }
}
