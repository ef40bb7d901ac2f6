/** The service summary's form: one for the hub, designed by an admin, checked when it is filled. */
import { HubError } from '../../../sdk/errors.ts'
import type { SummaryField, SummaryForm } from '../../../sdk/wire/record.ts'
import type { Em } from '../../db/orm.ts'
import { Setting } from '../setting/setting.entity.ts'

const key = 'summary.form'

/** Until an admin designs another one: in the language of who reads it. */
const firstForm = (locale: string): SummaryForm => ({
  fields: [
    { id: 'resolved', label: locale === 'en' ? 'Solved' : '是否解决', kind: 'yesNo', required: true },
    { id: 'note', label: locale === 'en' ? 'What was done' : '处理说明', kind: 'longText' },
  ],
})

export async function readSummaryForm(em: Em, locale: string): Promise<SummaryForm> {
  const row = await em.findOne(Setting, { key }, { disableIdentityMap: true })
  return (row?.value as SummaryForm | undefined) ?? firstForm(locale)
}

/** Throws HUB_REQUEST_INVALID for two fields of one id or one label (exports and readers tell them apart by it), or a choice without options. */
export async function writeSummaryForm(em: Em, form: SummaryForm): Promise<void> {
  const ids = form.fields.map((field) => field.id)
  const twice = ids.findIndex((id, n) => ids.indexOf(id) !== n)
  if (twice >= 0) throw invalid(`fields/${twice}/id`, 'unique', 'Two fields have this id')
  const labels = form.fields.map(({ label }) => label.trim())
  const again = labels.findIndex((label, n) => labels.indexOf(label) !== n)
  if (again >= 0) throw invalid(`fields/${again}/label`, 'unique', 'Two fields have this label')
  const empty = form.fields.findIndex(({ kind, options }) => (kind === 'choice' || kind === 'choices') && !options?.length)
  if (empty >= 0) throw invalid(`fields/${empty}/options`, 'required', 'A choice needs options')
  await em.upsert(Setting, { key, value: form, updatedAt: new Date() })
}

const longest = { text: 200, longText: 2_000 }

/** The answers that the form asks for, whatever else was sent left out. Throws HUB_REQUEST_INVALID naming the field. */
export function checkAnswers(form: SummaryForm, answers: Record<string, unknown>): Record<string, unknown> {
  const kept: Record<string, unknown> = {}
  for (const field of form.fields) {
    const value = Object.hasOwn(answers, field.id) ? answers[field.id] : undefined
    const missing = value === undefined || value === null || value === '' || (Array.isArray(value) && value.length === 0)
    if (missing) {
      if (field.required) throw invalid(`answers/${field.id}`, 'required', 'This has to be filled in')
      continue
    }
    if (!fits(field, value)) throw invalid(`answers/${field.id}`, field.kind, 'This does not fit the field')
    kept[field.id] = value
  }
  return kept
}

function fits({ kind, options = [] }: SummaryField, value: unknown): boolean {
  switch (kind) {
    case 'text':
    case 'longText':
      return typeof value === 'string' && value.length <= longest[kind]
    case 'choice':
      return typeof value === 'string' && options.includes(value)
    case 'choices':
      return Array.isArray(value) && value.length <= options.length && value.every((one) => typeof one === 'string' && options.includes(one))
    case 'yesNo':
      return typeof value === 'boolean'
    case 'date':
      return typeof value === 'string' && /^\d{4}-\d\d-\d\d$/.test(value) && !Number.isNaN(Date.parse(value))
  }
}

const invalid = (path: string, rule: string, message: string) =>
  new HubError('HUB_REQUEST_INVALID', message, { faults: [{ path: `body/${path}`, rule, message }] })
