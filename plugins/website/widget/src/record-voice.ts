/** A voice note: held by the caller until it ends by itself or is told to. */
export const canRecord = (): boolean => typeof MediaRecorder !== 'undefined' && navigator.mediaDevices !== undefined
const longestMs = 60_000

export interface Recording {
  /** Ends it; `done` gets the note. */
  stop(): void
  /** Ends it and forgets it. */
  cancel(): void
}

/** Rejects when there is no microphone, or none for us. */
export async function recordVoice(done: (note: { blob: Blob; durationMs: number } | undefined) => void): Promise<Recording> {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true })
  const recorder = new MediaRecorder(stream)
  const chunks: Blob[] = []
  const began = Date.now()
  let wanted = true
  recorder.ondataavailable = (event) => void chunks.push(event.data)
  recorder.onstop = () => {
    clearTimeout(late)
    for (const track of stream.getTracks()) track.stop()
    done(wanted ? { blob: new Blob(chunks, { type: chunks[0]?.type || 'audio/webm' }), durationMs: Date.now() - began } : undefined)
  }
  recorder.start()
  const stop = () => {
    if (recorder.state !== 'inactive') recorder.stop()
  }
  const late = setTimeout(stop, longestMs)
  return {
    stop,
    cancel() {
      wanted = false
      stop()
    },
  }
}
