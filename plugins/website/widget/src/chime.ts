/** A short soft tone. A browser nobody has touched yet makes none. */
let context: AudioContext | undefined
export function chime(): void {
  try {
    context = context ?? new AudioContext()
    const tone = context.createOscillator()
    const volume = context.createGain()
    volume.gain.value = 0.05
    tone.frequency.value = 740
    tone.connect(volume).connect(context.destination)
    tone.start()
    tone.stop(context.currentTime + 0.15)
  } catch {
    // No sound is no fault.
  }
}
