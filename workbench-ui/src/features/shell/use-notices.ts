/** New messages are noticed: in the title, by a sound, by the browser while the page is not looked at. */
import { useLocalStorage } from '@vueuse/core'
import { onUnmounted, watchEffect } from 'vue'
import { useI18n } from 'vue-i18n'
import { useRouter } from 'vue-router'
import { useContactName } from '../../../../core/ui-kit/contact-name.ts'
import { useConversations } from '../../stores/conversations.store.ts'
import { previewText } from '../preview.ts'

export const soundOn = useLocalStorage('huike.sound', true)
export const desktopOn = useLocalStorage('huike.desktop', false)
/** Whether to offer notices of the browser: once, when a message came that nobody was looking at. */
export const offerDesktop = useLocalStorage<'not yet' | 'now' | 'done'>('huike.desktop.offer', 'not yet')

let context: AudioContext | undefined
let chimedAt = Number.NEGATIVE_INFINITY
/** Two soft tones, made here: no file to load. */
function chime(): void {
  // Several at once are one sound.
  if (performance.now() - chimedAt < 500) return
  chimedAt = performance.now()
  context ??= new AudioContext()
  const start = context.currentTime
  for (const [i, frequency] of [660, 880].entries()) {
    const tone = context.createOscillator()
    const volume = context.createGain()
    tone.frequency.value = frequency
    volume.gain.setValueAtTime(0.0001, start + i * 0.12)
    volume.gain.exponentialRampToValueAtTime(0.08, start + i * 0.12 + 0.02)
    volume.gain.exponentialRampToValueAtTime(0.0001, start + i * 0.12 + 0.18)
    tone.connect(volume).connect(context.destination)
    tone.start(start + i * 0.12)
    tone.stop(start + i * 0.12 + 0.2)
  }
}

export function useNotices(): void {
  const { t } = useI18n()
  const called = useContactName()
  const router = useRouter()
  const conversations = useConversations()
  watchEffect(() => {
    document.title = (conversations.unread > 0 ? `(${conversations.unread}) ` : '') + t('nav.title')
  })
  const stop = conversations.onArrival(({ conversation, messages }, before) => {
    if (conversation.assigneeId !== conversations.myId || conversation.status !== 'open') return
    const assigned = before?.assigneeId !== conversations.myId
    // After a drop there are no messages, only how many are unread now.
    const said = messages.length > 0 ? messages.some((m) => m.direction === 'in' && !m.meta?.automatic) : conversation.unread > (before?.unread ?? 0)
    if (!assigned && !said) return
    if (document.hidden && offerDesktop.value === 'not yet' && !desktopOn.value && 'Notification' in globalThis && Notification.permission === 'default')
      offerDesktop.value = 'now'
    if (soundOn.value && (document.hidden || router.currentRoute.value.params.id !== conversation.id)) chime()
    if (desktopOn.value && document.hidden && 'Notification' in globalThis && Notification.permission === 'granted') {
      const name = called(conversation.contact)
      const notice = new Notification(t(assigned ? 'notice.assigned' : 'notice.newMessage', { name }), {
        body: previewText(conversation, t),
        tag: conversation.id,
      })
      notice.onclick = () => {
        focus()
        void router.push(`/conversations/mine/${conversation.id}`)
        notice.close()
      }
    }
  })
  onUnmounted(stop)
}

/** Returns what came of it: a browser that has once said no does not ask again. */
export async function toggleDesktop(): Promise<'on' | 'off' | 'refused'> {
  const wanted = !desktopOn.value
  // Not there on plain HTTP.
  const granted = wanted && 'Notification' in globalThis && (await Notification.requestPermission()) === 'granted'
  desktopOn.value = granted
  offerDesktop.value = 'done'
  return granted ? 'on' : wanted ? 'refused' : 'off'
}
