/** A voice as WeChat sends it: AMR narrow-band, made here. */
import { createRequire } from 'node:module'

interface Engine {
  GetEncoder(bitRate: number): { encode(pcm: Int16Array): Uint8Array }
}

let engine: Engine | undefined

/** The engine is the plugin's own dependency, found from its folder; it hangs itself on a global that its main file would have made. */
function load(): Engine {
  const recorder: { AMR?: Engine } = {}
  const globals = Object as unknown as Record<string, unknown>
  globals['Recorder-Core-Export'] = recorder
  createRequire(new URL('../../plugins/wechat/plugin.ts', import.meta.url))('recorder-core/src/engine/beta-amr-engine.js')
  delete globals['Recorder-Core-Export']
  if (!recorder.AMR) throw new Error('the AMR engine did not load')
  return recorder.AMR
}

/** So many seconds of a steady tone. */
export function speech(seconds: number, hertz = 440): Buffer {
  engine ??= load()
  const pcm = Int16Array.from({ length: 8_000 * seconds + 161 }, (_, i) => 8_000 * Math.sin((i / 8_000) * hertz * 2 * Math.PI))
  return Buffer.concat([Buffer.from('#!AMR\n'), engine.GetEncoder(12.2).encode(pcm)])
}
