import assert from 'node:assert/strict'
import { test } from 'node:test'
import { idGivenBy } from './relay-id.ts'

test('a provider says which id it gave; most say none', () => {
  const outlook = '250 2.0.0 OK <PSAPR06MB4@PSAPR06MB4.apcprd06.prod.outlook.com> [Hostname=PSAPR06MB4]'
  assert.equal(idGivenBy('smtp-mail.outlook.com', outlook), 'PSAPR06MB4@PSAPR06MB4.apcprd06.prod.outlook.com')
  assert.equal(idGivenBy('email-smtp.eu-west-1.amazonaws.com', '250 Ok 0102018f-aa-000000'), '0102018f-aa-000000@eu-west-1.amazonses.com')
  assert.equal(idGivenBy('email-smtp.us-east-1.amazonaws.com', '250 Ok 0100018f-aa-000000'), '0100018f-aa-000000@email.amazonses.com')
  for (const answer of ['250 2.0.0 Ok: queued as 4B1C2', '250 Mail OK queued as gzga-smtp-1,_____wD', '250 Ok: queued as.', ''])
    assert.equal(idGivenBy('smtp.qq.com', answer), undefined)
})
