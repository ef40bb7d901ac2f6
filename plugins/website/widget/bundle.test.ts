/** What visitors' browsers are given: how many bytes, and nothing a browser of 2018 (Chrome 64, Safari 12) cannot read or run. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { type AnyNode, parse } from 'acorn'

const dist = join(import.meta.dirname, 'dist')
const scripts = ['widget.js', 'line.js', 'frame.js']
const read = (name: string) => readFileSync(join(dist, name), 'utf8')
const gzipped = (name: string) => gzipSync(read(name), { level: 6 }).length

before(() => {
  for (const name of [...scripts, 'frame.css']) assert.ok(existsSync(join(dist, name)), `${name} has not been built: npm run build`)
})

test('the loader has 6 KB at most, all of it until a chat is open and connected 45 KB', () => {
  const loader = gzipped('widget.js')
  const all = [...scripts, 'frame.css'].reduce((sum, name) => sum + gzipped(name), 0)
  assert.ok(loader <= 6 * 1024, `the loader has ${loader} bytes`)
  assert.ok(all <= 45 * 1024, `all of it has ${all} bytes`)
})

for (const name of scripts)
  test(`${name} is written in ES2018`, () => {
    assert.doesNotThrow(() => parse(read(name), { ecmaVersion: 2018, sourceType: 'script' }))
  })

/** Younger than Chrome 64 or Safari 12, by the name they are reached by. */
const young = {
  methods: [
    ...['replaceAll', 'matchAll', 'trimStart', 'trimEnd', 'at', 'flat', 'flatMap', 'findLast', 'findLastIndex', 'toSorted', 'toReversed', 'toSpliced'],
    ...['fromEntries', 'groupBy', 'hasOwn', 'allSettled', 'any', 'withResolvers', 'replaceChildren', 'randomUUID', 'timeout', 'throwIfAborted'],
    ...['showModal', 'checkVisibility', 'showPopover', 'arrayBuffer', 'text', 'stream', 'canParse', 'scrollend', 'requestSubmit', 'togglePopover'],
    ...['visualViewport', 'locks', 'mediaDevices', 'isComposing', 'dataset'],
  ],
  names: [
    ...['structuredClone', 'queueMicrotask', 'globalThis', 'ResizeObserver', 'WeakRef', 'FinalizationRegistry', 'BigInt', 'BroadcastChannel'],
    ...['requestIdleCallback', 'MediaRecorder', 'AbortController', 'EventTarget', 'CompressionStream', 'WebTransport', 'CSS', 'reportError', 'scheduler'],
  ],
}
/** Where one of them is used all the same: only after asking whether it is there, or as something that may be missing. */
const guarded: Record<string, Record<string, string>> = {
  'widget.js': {
    visualViewport: 'asked for before use; without it a phone window is as high as the page',
    locks: 'asked for before use; without it the page storage alone decides which tab rings',
    dataset: 'of an HTML element: older than all of these',
  },
  'line.js': { dataset: 'of an HTML element: older than all of these' },
  'frame.js': {
    AbortController: 'asked for with typeof; without it the browser alone decides when a silent line is dead',
    MediaRecorder: 'asked for with typeof; without it there is no microphone button',
    mediaDevices: 'asked for before the microphone button is shown',
    isComposing: 'missing it is undefined, and the key code 229 tells the same',
    arrayBuffer: 'socket.io, for binary packets, of which this hub sends none',
    BigInt: 'socket.io, in what it does for WebTransport',
    WebTransport: 'socket.io; not among the transports that are asked for',
    timeout: "socket.io's own option and method",
    text: "a part's words",
    at: 'a name of our own, never a method that is called',
  },
}

function* nodes(node: unknown): Generator<AnyNode> {
  if (Array.isArray(node)) for (const one of node) yield* nodes(one)
  else if (node && typeof node === 'object' && 'type' in node) {
    yield node as AnyNode
    for (const value of Object.values(node)) yield* nodes(value)
  }
}

/** Every young name that a script reaches for. */
function youngIn(code: string): Set<string> {
  const used = new Set<string>()
  for (const node of nodes(parse(code, { ecmaVersion: 2018, sourceType: 'script' }))) {
    if (node.type === 'MemberExpression') {
      const name =
        node.property.type === 'Identifier' && !node.computed ? node.property.name : node.property.type === 'Literal' ? String(node.property.value) : ''
      if (young.methods.includes(name) || young.names.includes(name)) used.add(name)
    } else if (node.type === 'Identifier' && young.names.includes(node.name)) used.add(node.name)
  }
  return used
}

test('the scan finds what it looks for', () => {
  const found = youngIn(
    `x.replaceAll('a', 'b'); [1].at(-1); crypto.randomUUID(); new ResizeObserver(f); structuredClone(x); AbortSignal.timeout(1); log['replaceChildren']()`,
  )
  assert.deepEqual([...found].sort(), ['ResizeObserver', 'at', 'randomUUID', 'replaceAll', 'replaceChildren', 'structuredClone', 'timeout'])
  assert.throws(() => parse('a ?? b', { ecmaVersion: 2018 }))
})

for (const name of scripts)
  test(`${name} uses nothing younger than Chrome 64 and Safari 12 without asking`, () => {
    const unguarded = [...youngIn(read(name))].filter((word) => !guarded[name]?.[word])
    assert.deepEqual(unguarded, [])
  })

test('a guard that is no longer needed is no longer listed', () => {
  for (const [name, words] of Object.entries(guarded)) {
    const used = youngIn(read(name))
    assert.deepEqual(
      Object.keys(words).filter((word) => !used.has(word)),
      [],
      name,
    )
  }
})

test('the looks need nothing younger either', () => {
  const css = read('frame.css')
  for (const word of [
    /:is\(/,
    /:where\(/,
    /:has\(/,
    /[{;]inset/,
    /[{;](row-|column-)?gap:/,
    /\bd[v]h\b/,
    /\bclamp\(/,
    /aspect-ratio:/,
    /@layer/,
    /@container/,
    /color-mix/,
    /margin-inline|padding-inline/,
  ])
    assert.ok(!word.test(css), `${word} in frame.css`)
  // Newer words stand after an older one of the same rule, or in a rule that may be missing.
  for (const [, body = ''] of css.matchAll(/\{([^{}]*)\}/g))
    for (const declaration of body.split(';').filter((line) => /\b(max|min)\(|\benv\(/.test(line))) {
      const property = declaration.split(':')[0] ?? ''
      const short = property.split('-')[0]
      assert.match(body, new RegExp(`(^|;)(${property}|${short}):(?![^;]*\\b(max|min)\\()[^;]*;.*${property}`), declaration)
    }
  for (const [selectors = ''] of css.matchAll(/[^{}]*:focus-visible[^{}]*/g))
    assert.match(selectors, /:not\(:focus-visible\)/, 'where it is not known a ring is always drawn')
})
