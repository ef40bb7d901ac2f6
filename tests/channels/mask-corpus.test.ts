/** Needs the bundled plugins. Whatever the finder's corpus holds of a contact, the masker stars; what is no contact, the reader leaves alone. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { buildAbility } from '../../core/src/access/ability.ts'
import { starContacts } from '../../core/src/access/mask-contacts.ts'
import { maskSaid } from '../../core/src/access/mask-text.ts'
import { personalFields } from '../../core/src/access/permissions.ts'
import { corpora, readCorpus } from '../../plugins/extraction/server/extract/corpus.ts'
import { extract } from '../../plugins/extraction/server/extract/extract.ts'

const nobody = buildAbility({ id: 'a', departmentId: null, treeIds: [], owner: false }, [])
const sentences = corpora.flatMap(readCorpus)
const contacts = new Set(['phone', 'landline', 'wechat', 'qq', 'email'])

test('every contact of the corpus is starred, in every message that holds a piece of it', () => {
  let count = 0
  for (const { messages, labels } of sentences) {
    const shown = messages.map((text) => maskSaid(nobody, text))
    messages.forEach((text, i) => {
      assert.equal(shown[i]?.length, text.length)
    })
    for (const { kind, phrase } of labels) {
      // What was starred before it came tells no more than the mask does.
      if (!contacts.has(kind) || /([*xX·•＊])\1\1/.test(phrase)) continue
      count++
      // A phrase over several messages stands in the label with a space between its pieces.
      const pieces = messages.some((text) => text.includes(phrase)) ? [phrase] : phrase.split(' ')
      for (const piece of pieces) {
        // `1 3 9` of a number that is spelled out over lines: the message with it, whole.
        const at = messages.findIndex((text) => text.includes(piece))
        if (at < 0) continue
        assert.ok(!shown[at]?.includes(piece), `${kind} ${piece} stands in ${shown[at]}`)
      }
    }
  }
  assert.ok(count > 350, String(count))
})

test('the reader stars nothing of order numbers, prices and dates but what the finder would take', () => {
  const hidden = new Set(personalFields)
  for (const { messages, labels } of sentences) {
    if (labels.some(({ kind }) => contacts.has(kind)) || messages.length > 1) continue
    const [text = ''] = messages
    const places: number[] = []
    // A number of somebody else's, or one that is refused, is offered to nobody, and starred all the same.
    if (/你们|客服|快递(?:员|是)|骑手|小哥|物流|别加|陌生|骚扰|骗子|前台|官网|师傅|停用|不用了|加我微信|话费/.test(text)) continue
    starContacts(hidden, text, (from) => places.push(from))
    const found = extract(text).flatMap(({ spans }) => spans)
    for (const at of places)
      assert.ok(
        found.some(({ start, end }) => at >= start && at < end),
        `${text} is starred at ${at}`,
      )
  }
})
