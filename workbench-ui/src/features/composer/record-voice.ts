/** A voice note from the microphone: held by the caller until it ends by itself or is told to. */
const longestMs = 60_000
const types = ['audio/webm', 'audio/mp4', 'audio/ogg']

/** What this browser can record, best first; empty where it cannot. */
export const recordable = (): string[] =>
  typeof MediaRecorder === 'undefined' || navigator.mediaDevices === undefined ? [] : types.filter((type) => MediaRecorder.isTypeSupported(type))

export interface Recording {
  /** Ends it: `done` gets the note. */
  stop(): void
  /** Ends it and forgets it. */
  cancel(): void
}

/** Rejects when there is no microphone, or none for us. */
export async function recordVoice(type: string, done: (note: File | undefined) => void): Promise<Recording> {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true })
  const recorder = new MediaRecorder(stream, { mimeType: type })
  const chunks: Blob[] = []
  let wanted = true
  recorder.ondataavailable = (event) => void chunks.push(event.data)
  recorder.onstop = () => {
    clearTimeout(late)
    for (const track of stream.getTracks()) track.stop()
    done(wanted ? new File(chunks, `voice.${type.slice('audio/'.length)}`, { type }) : undefined)
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
