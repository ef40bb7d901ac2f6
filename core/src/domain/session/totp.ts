/** One-time codes of an authenticator app. https://www.rfc-editor.org/rfc/rfc6238 */
import { generateSecret, generateURI, verify } from 'otplib'

export const newTotpSecret = (): string => generateSecret()
export const totpUri = (secret: string, email: string): string => generateURI({ issuer: 'Huike', label: email, secret })

/** Accepts the code of now and its two neighbours: clocks differ. */
export async function verifyTotp(secret: string, code: string): Promise<boolean> {
  if (!/^\d{6}$/.test(code)) return false
  const { valid } = await verify({ secret, token: code, epochTolerance: 30 })
  return valid
}
