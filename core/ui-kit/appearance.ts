/** Light, dark, or what the system says; remembered in this browser. */
import { ref, watchEffect } from 'vue'

export type Appearance = 'system' | 'light' | 'dark'
const stored = 'huike.appearance'
const kept = localStorage.getItem(stored)
export const appearance = ref<Appearance>(kept === 'light' || kept === 'dark' ? kept : 'system')
const dark = matchMedia('(prefers-color-scheme: dark)')

export function followAppearance(): void {
  const apply = () => document.documentElement.classList.toggle('dark', appearance.value === 'dark' || (appearance.value === 'system' && dark.matches))
  dark.addEventListener('change', apply)
  watchEffect(() => {
    localStorage.setItem(stored, appearance.value)
    apply()
  })
}
