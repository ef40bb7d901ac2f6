/** A callback: verified over its raw bytes, opened if it is sealed, turned into an event. Nothing here waits for anything: WeChat cuts after five seconds. */
import type { RawRequest, ReceiveResult } from '@huike/core/sdk/channel.ts'
import { HubError } from '@huike/core/sdk/errors.ts'
import { aesKeyOf, decrypt, EnvelopeError } from './crypt.ts'
import { decodePush } from './decode.ts'
import type { WechatInbox, WechatSettings } from './inbox-settings.ts'
import { maxPushBytes, PushError, type PushFields, readPush, textAt } from './read-push.ts'
import { isSigned } from './signature.ts'

/** Throws HUB_CHANNEL_UNVERIFIED, HUB_REQUEST_TOO_LARGE, HUB_REQUEST_INVALID. */
export function receivePush(request: RawRequest, inbox: WechatInbox): ReceiveResult {
  const { settings } = inbox
  // Query values may be lists when a name is repeated: those are nobody's signature.
  const query = (name: string): string => (typeof request.query[name] === 'string' ? request.query[name] : '')
  const unverified = (why: string) => new HubError('HUB_CHANNEL_UNVERIFIED', `The push is not WeChat's: ${why}`)
  if (!settings.token) throw unverified('this inbox has no token yet')

  if (request.method === 'GET') {
    if (!isSigned(query('signature'), settings.token, query('timestamp'), query('nonce'))) throw unverified('the signature is wrong')
    return { events: [], reply: { type: 'text/plain; charset=utf-8', body: query('echostr') } }
  }
  if (request.body.length > maxPushBytes) throw new HubError('HUB_REQUEST_TOO_LARGE', `A push may have ${maxPushBytes} bytes at most`, { max: maxPushBytes })
  try {
    const push = open(request.body.toString('utf8'), query, settings)
    if (settings.originalId && textAt(push, 'ToUserName') !== settings.originalId) throw unverified('it is for another account')
    return { events: [decodePush(push, settings)], reply: { body: 'success' } }
  } catch (error) {
    if (error instanceof EnvelopeError) throw unverified(error.message)
    if (error instanceof PushError) throw new HubError('HUB_REQUEST_INVALID', `The push cannot be read: ${error.message}`)
    throw error
  }
}

/**
 * The fields of the push. In safe and compatible mode only the sealed copy is believed: `signature` does not cover the
 * body, `msg_signature` covers the sealed copy alone.
 */
function open(body: string, query: (name: string) => string, settings: WechatSettings): PushFields {
  const { token } = settings
  if (settings.mode === 'plain') {
    if (!isSigned(query('signature'), token, query('timestamp'), query('nonce'))) throw new EnvelopeError('the signature is wrong')
    return readPush(body)
  }
  const key = aesKeyOf(settings.encodingAesKey)
  if (!key) throw new EnvelopeError('this inbox has no EncodingAESKey yet')
  const sealed = textAt(readPush(body), 'Encrypt')
  if (!sealed) throw new EnvelopeError('it is not encrypted')
  if (!isSigned(query('msg_signature'), token, query('timestamp'), query('nonce'), sealed)) throw new EnvelopeError('the signature is wrong')
  return readPush(decrypt(sealed, key, settings.appId))
}
