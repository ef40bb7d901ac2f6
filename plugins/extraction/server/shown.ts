/** A fact as people write it into a field. */
import type { Kind } from './extract/tables.ts'

/** @param at an age goes on: what was said of a year counts from when it was said */
export function shown(kind: Kind, normal: string, at: Date): string {
  switch (kind) {
    case 'phone':
      return normal.replace(/^\+86(?=1\d{10}$)/, '')
    case 'landline': {
      const [number = '', extension] = normal.split(';ext=')
      const national = number.replace(/^\+86/, '0')
      const area = /^0(?:10|2\d)/.exec(national)?.[0] ?? /^0\d{3}/.exec(national)?.[0] ?? ''
      const plain = number.startsWith('+') ? `${area}-${national.slice(area.length)}` : number
      return extension ? `${plain}-${extension}` : plain
    }
    case 'age': {
      if (normal.includes('zodiac:')) return `属${normal.slice(normal.indexOf('zodiac:') + 7)}`
      if (normal.includes('school:')) return normal.slice(normal.indexOf('school:') + 7)
      if (normal.endsWith('retired')) return '已退休'
      const value = normal.replace(/^[a-z]+:(?=\d|born)/, (prefix) => (prefix === 'born:' ? prefix : ''))
      if (!value.startsWith('born:')) return value
      const [from = 0, to = from] = value.slice(5).split('-').map(Number)
      const year = at.getUTCFullYear()
      return from === to ? `≈${year - from} (${from})` : `≈${year - to}–${year - from} (${from}–${to})`
    }
    case 'gender':
      return normal === 'female' ? '女' : '男'
    default:
      return normal
  }
}
