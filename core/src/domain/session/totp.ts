/** One-time codes of an authenticator app. https://www.rfc-editor.org/rfc/rfc6238 */

/** Loaded with the first code that is asked for: most hubs never do. */
const otp = () => import('otplib')

/** A new secret for the agent's app, and the address that its picture shows. */
export async function newTotp(email: string): Promise<{ secret: string; uri: string }> {
  const { generateSecret, generateURI } = await otp()
  const secret = generateSecret()
  return { secret, uri: generateURI({ issuer: 'Huike', label: email, secret }) }
}

/** The 30 seconds the code is of: now, or one of its two neighbours, since clocks differ; null when it is of none. */
export async function totpStepOf(secret: string, code: string): Promise<number | null> {
  if (!/^\d{6}$/.test(code)) return null
  const { verify } = await otp()
  const result = await verify({ secret, token: code, epochTolerance: 30 })
  return result.valid && 'timeStep' in result ? result.timeStep : null
}
