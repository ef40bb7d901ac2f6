/** Files that are shown in the page; every other is a download. SVG and HTML can carry scripts and are never shown. */
export const inlineTypes: ReadonlySet<string> = new Set([
  'image/png',
  'image/jpeg',
  'image/gif',
  'image/webp',
  'audio/mpeg',
  'audio/ogg',
  'audio/webm',
  'audio/mp4',
  'audio/wav',
  'video/mp4',
  'video/webm',
  'application/pdf',
])
