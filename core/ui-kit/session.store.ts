/** Who is signed in, what they may do, what the hub offers. */
import type { MongoAbility, RawRuleOf } from '@casl/ability'
import { defineStore } from 'pinia'
import { ref, shallowRef } from 'vue'
import type { Me } from '../sdk/wire/agent.ts'
import { ability } from './ability.ts'
import { ApiError, api, get } from './api.ts'

/** The other tabs share the session: each hears who is signed in now, nobody being ''. */
const tabs = new BroadcastChannel('huike.session')
const preview = 'preview'

export const useSession = defineStore('session', () => {
  const me = shallowRef<Me>()
  const state = ref<'unknown' | 'in' | 'out'>('unknown')
  /** Server minus browser, in milliseconds: clocks differ. */
  const clockSkew = ref(0)

  tabs.onmessage = ({ data }: MessageEvent<string>) => {
    // One that is still asking will be told; the same agent again is no reason to take away what is being written.
    const here = state.value === 'in' ? me.value?.agent.id : ''
    if (data === preview || (state.value !== 'unknown' && data !== here)) location.reload()
  }

  async function load(): Promise<boolean> {
    try {
      const loaded = await get<Me>('/me')
      if (state.value !== 'in' || me.value?.agent.id !== loaded.agent.id) tabs.postMessage(loaded.agent.id)
      me.value = loaded
      clockSkew.value = Date.parse(loaded.serverTime) - Date.now()
      ability.update(loaded.rules as RawRuleOf<MongoAbility>[])
      state.value = 'in'
      return true
    } catch (error) {
      // Its time is up: this session leaves it, then sees what it may.
      if (error instanceof ApiError && error.code === 'HUB_PREVIEW_OVER') {
        await api('DELETE', '/preview')
        return load()
      }
      if (error instanceof ApiError && error.status === 401) {
        state.value = 'out'
        return false
      }
      throw error
    }
  }

  async function login(email: string, password: string, code?: string): Promise<void> {
    await api('POST', '/login', { email, password, ...(code ? { code } : {}) })
    await load()
  }

  /** See the hub as this role, in every tab of this browser. */
  async function startPreview(roleId: string): Promise<void> {
    await api('POST', '/preview', { roleId })
    tabs.postMessage(preview)
    location.assign('/workbench')
  }

  async function endPreview(): Promise<void> {
    await api('DELETE', '/preview')
    tabs.postMessage(preview)
    location.assign('/admin/roles')
  }

  async function logout(): Promise<void> {
    await api('POST', '/logout')
    me.value = undefined
    state.value = 'out'
    tabs.postMessage('')
  }

  /** `conversation.read` and the like, without conditions. */
  const can = (permission: string, field?: string): boolean => {
    const dot = permission.lastIndexOf('.')
    return me.value !== undefined && ability.can(permission.slice(dot + 1), permission.slice(0, dot), field)
  }

  return { me, ability, state, clockSkew, load, login, logout, startPreview, endPreview, can }
})
