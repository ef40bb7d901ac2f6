/** Loaded into the hub's process by the bench: throws its garbage away when told to, so that its memory can be compared. */
process.on('SIGUSR2', () => {
  const { gc } = globalThis as { gc?: () => void }
  for (let i = 0; i < 3; i++) gc?.()
})
