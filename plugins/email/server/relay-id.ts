/**
 * The Message-ID that a provider gives a letter in place of ours, as far as its answer to the last byte tells it: Outlook in
 * brackets, SES without the domain (https://docs.aws.amazon.com/ses/latest/dg/send-email-smtp.html). Undefined: ours stays, or
 * nobody says.
 */
export function idGivenBy(host: string, answer: string): string | undefined {
  const given = /<([^<>\s@]{1,200}@[^<>\s@]{1,200})>/.exec(answer)?.[1]
  if (given) return given
  const region = /^email-smtp(?:-fips)?\.([a-z0-9-]{1,40})\.amazonaws\.com/i.exec(host)?.[1]?.toLowerCase()
  const id = /^250 Ok (\S{10,200})\s*$/i.exec(answer)?.[1]
  return region && id ? `${id}@${region === 'us-east-1' ? 'email' : region}.amazonses.com` : undefined
}
