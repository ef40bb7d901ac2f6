/** Formats of settings and forms beside JSON Schema's own: whoever checks by a schema, server or browser, brings them along. */
import Format from 'typebox/format'
import { wallClock } from './local-time.ts'

/** An IANA name: `Asia/Shanghai`. */
Format.Set('time-zone', (name) => {
  try {
    wallClock(new Date(0), name)
    return true
  } catch {
    return false
  }
})
