import assert from 'node:assert/strict'
import { test } from 'node:test'
import { callbackFault } from './probe.ts'

const live = 'https://api.weixin.qq.com'

test('WeChat reaches a public name on its usual ports', () => {
  for (const url of ['https://help.example.com', 'http://help.example.com', 'https://8.8.8.8']) assert.equal(callbackFault(url, live), undefined, url)
})

test('it reaches no private address and no other port, and the admin is told which', () => {
  for (const url of [
    'http://localhost:3000',
    'http://127.0.0.1',
    'http://10.0.0.5',
    'https://192.168.1.2',
    'http://172.16.0.1',
    'http://hub.local',
    'http://[::1]',
  ])
    assert.match(callbackFault(url, live)?.zh ?? '', /微信访问不到/, url)
  assert.match(callbackFault('https://help.example.com:8443', live)?.zh ?? '', /8443/)
})

test('a simulator on this machine reaches it', () => {
  assert.equal(callbackFault('http://127.0.0.1:3000', 'http://127.0.0.1:4000'), undefined)
})
