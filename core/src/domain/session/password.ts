/** Passwords: Argon2id, with the parameters OWASP asks for (19 MiB, 2 passes). https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html */
import { hash, verify } from '@node-rs/argon2'
import { HubError } from '../../../sdk/errors.ts'

const options = { memoryCost: 19_456, timeCost: 2, parallelism: 1 }

/**
 * Long beats odd: ten characters, not the address, not one character again and again. `path` is the field
 * that held it. Throws HUB_PASSWORD_WEAK.
 */
export function checkPassword(password: string, email: string, path = '/password'): void {
  const weak = (reason: string) => new HubError('HUB_PASSWORD_WEAK', 'This password is too easy to guess', { reason, path })
  if ([...password].length < 10) throw weak('short')
  if (new Set(password).size < 5) throw weak('repetitive')
  const local = email.split('@')[0] ?? ''
  if (local.length > 3 && password.toLowerCase().includes(local.toLowerCase())) throw weak('address')
  if (/^(?:password|1234567890|qwertyuiop|0123456789|woaini\d+)/i.test(password)) throw weak('common')
}

export const hashPassword = (password: string): Promise<string> => hash(password, options)

/** A hash nobody has the password of: an unknown account takes as long to refuse as a known one. */
const nobody = hash('nobody has this password', options)

export async function verifyPassword(stored: string | null | undefined, password: string): Promise<boolean> {
  const matches = await verify(stored ?? (await nobody), password)
  return matches && stored !== null && stored !== undefined
}
