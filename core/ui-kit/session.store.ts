/** Who is signed in, what they may do, what the hub offers. */
import type { MongoAbility, RawRuleOf } from '@casl/ability'
import { defineStore } from 'pinia'
import { ref, shallowRef } from 'vue'
import type { Me } from '../sdk/wire/agent.ts'
import { ability } from './ability.ts'
import { ApiError, api, get } from './api.ts'

export const useSession = defineStore('session', () => {
  const me = shallowRef<Me>()
  const state = ref<'unknown' | 'in' | 'out'>('unknown')
  /** Server minus browser, in milliseconds: clocks differ. */
  const clockSkew = ref(0)

  async function load(): Promise<boolean> {
    try {
      const loaded = await get<Me>('/me')
      me.value = loaded
      clockSkew.value = Date.parse(loaded.serverTime) - Date.now()
      ability.update(loaded.rules as RawRuleOf<MongoAbility>[])
      state.value = 'in'
      return true
    } catch (error) {
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

  async function logout(): Promise<void> {
    await api('POST', '/logout')
    me.value = undefined
    state.value = 'out'
  }

  /** `conversation.read` and the like, without conditions. */
  const can = (permission: string): boolean => {
    const dot = permission.lastIndexOf('.')
    return me.value !== undefined && ability.can(permission.slice(dot + 1), permission.slice(0, dot))
  }

  return { me, ability, state, clockSkew, load, login, logout, can }
})
