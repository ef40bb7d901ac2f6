/** One-time codes of an authenticator app. https://www.rfc-editor.org/rfc/rfc6238 */
import { generateSecret, generateURI, verify } from 'otplib'

export const newTotpSecret = (): string => generateSecret()
export const totpUri = (secret: string, email: string): string => generateURI({ issuer: 'Huike', label: email, secret })

/** The 30 seconds the code is of: now, or one of its two neighbours, since clocks differ; null when it is of none. */
export async function totpStepOf(secret: string, code: string): Promise<number | null> {
  if (!/^\d{6}$/.test(code)) return null
  const result = await verify({ secret, token: code, epochTolerance: 30 })
  return result.valid && 'timeStep' in result ? result.timeStep : null
}
