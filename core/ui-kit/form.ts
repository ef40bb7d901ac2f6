/**
 * A form: its values, checked by the route's own schema before they are sent, and what is wrong with them at the
 * field, be it found here or by the server. The first field that is wrong gets the focus.
 */
import type { Static, TObject } from 'typebox'
import { nextTick, type Reactive, type Ref, reactive, ref, useId, watch } from 'vue'
import type { Fault } from '../sdk/faults.ts'
import { ApiError } from './api.ts'
import { errorText, faultSentence, faultsIn, useAppWords } from './error-text.ts'

/** What a field, or the end of a form, has to know of it. */
export interface FormState {
  /** The sentence at a field: `email`, `settings/colour`. */
  faultAt(name: string): string | undefined
  /** What is wrong and belongs to no field. */
  fault: Ref<string>
  busy: Ref<boolean>
  /** Binds a control to its field: `v-bind="form.control('email')"`. `Field.vue` hands it to its slot. */
  control(name: string, hint?: boolean): Record<string, unknown>
  id(name: string): string
}

interface Form<V extends object> extends FormState {
  values: Reactive<V>
  /** False when something was wrong; then it is shown. */
  submit(send: (values: V) => Promise<void>): Promise<boolean>
  reset(values?: Partial<V>): void
}

/**
 * @param schema the route's; or the names of its fields alone, of which the server says what is wrong
 * @param at where the server knows these values: `/password` for a form that sends `{ password: values }`
 */
export function useForm<T extends TObject>(schema: T, blank: () => Static<T>, at?: string): Form<Static<T> & object>
export function useForm<V extends object>(names: readonly (keyof V & string)[], blank: () => V, at?: string): Form<V>
export function useForm<V extends object>(known: TObject | readonly string[], blank: () => V, at = ''): Form<V> {
  const schema = 'properties' in known ? known : undefined
  const names = schema ? Object.keys(schema.properties) : (known as readonly string[])
  const words = useAppWords()
  const { t, te } = words
  const base = useId()
  const values = reactive(blank() as V)
  const faults = reactive<Record<string, string>>({})
  /** What stood there when it was found wrong. */
  const wrong = new Map<string, string>()
  const fault = ref('')
  const busy = ref(false)
  const id = (name: string) => `${base}-${name}`

  const sentence = (one: Fault) => faultSentence(words, one)
  // A list is one control: `/roleIds/0` stands at `roleIds`.
  const faultAt = (name: string) => Object.entries(faults).find(([path]) => path === `/${name}` || path.startsWith(`/${name}/`))?.[1]
  function clear(): void {
    fault.value = ''
    for (const path of Object.keys(faults)) delete faults[path]
  }
  const valueAt = (path: string): string =>
    JSON.stringify(
      path
        .split('/')
        .slice(1)
        .reduce<unknown>((value, step) => (value as Record<string, unknown> | undefined)?.[step], values),
    ) ?? ''
  /** Faults of fields this form has stand there, the others above the button. */
  function show(path: string, text: string): void {
    const own = path.startsWith(`${at}/`) ? path.slice(at.length) : path
    if (!names.includes(own.split('/')[1] ?? '')) {
      fault.value ||= text
      return
    }
    faults[own] ??= text
    wrong.set(own, valueAt(own))
  }
  const faultless = () => Object.keys(faults).length === 0 && fault.value === ''
  async function focus(): Promise<void> {
    await nextTick()
    const first = document.querySelector<HTMLElement>(`[id^="${CSS.escape(base)}-"][aria-invalid="true"]`)
    const control = first?.matches('input, select, textarea') ? first : first?.querySelector<HTMLElement>('input, select, textarea')
    control?.focus()
  }
  function refuse(error: unknown): void {
    const found = faultsIn(error)
    for (const one of found) show(one.path.replace(/^body/, ''), sentence(one))
    const details = (error instanceof ApiError ? error.details : undefined) as { path?: string } | undefined
    if (found.length === 0) show(details?.path ?? '', errorText(t, te, error))
  }

  // What is being mended is no longer called wrong.
  watch(
    values,
    () => {
      for (const path of Object.keys(faults)) if (valueAt(path) !== wrong.get(path)) delete faults[path]
    },
    { flush: 'sync' },
  )

  return {
    values,
    faultAt,
    fault,
    busy,
    id,
    control: (name, hint = false) => ({
      id: id(name),
      name,
      'aria-invalid': faultAt(name) !== undefined,
      'aria-describedby': [hint ? `${id(name)}-hint` : '', faultAt(name) ? `${id(name)}-fault` : ''].filter(Boolean).join(' ') || undefined,
    }),
    async submit(send) {
      if (busy.value) return false
      clear()
      busy.value = true
      try {
        const plain = JSON.parse(JSON.stringify(values)) as V
        if (schema) {
          const { checkForm } = await import('./check-form.ts')
          for (const one of checkForm(schema, plain)) show(at + one.path, sentence(one))
        }
        if (faultless()) await send(plain)
      } catch (error) {
        refuse(error)
      } finally {
        busy.value = false
      }
      if (!faultless()) await focus()
      return faultless()
    },
    reset(next = {}) {
      Object.assign(values, blank(), next)
      clear()
    },
  }
}
