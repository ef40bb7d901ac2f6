/** The thread of `decode-voice.ts`. The engine hangs itself on a global that its main file would have made. */
import { parentPort, workerData } from 'node:worker_threads'

const recorder: { AMR?: { GetDecoder(): { decode(frames: Uint8Array): Int16Array } } } = {}
;(Object as unknown as Record<string, unknown>)['Recorder-Core-Export'] = recorder
// @ts-expect-error it has no types
await import('recorder-core/src/engine/beta-amr-engine.js')
if (!recorder.AMR) throw new Error('the AMR engine did not load')
parentPort?.postMessage(recorder.AMR.GetDecoder().decode(workerData as Uint8Array))
