/** Pictures that a letter's markup carries within itself (`data:`, as programs paste screenshots) become files that it shows, like any other inline picture. */
import { createHash } from 'node:crypto'
import type { LetterFile } from './read-mail.ts'

/** A picture made of points; SVG may hold script. What it is made of holds no quotation mark, so that no sign is read twice. */
const picture = /(\ssrc\s{0,5}=\s{0,5})(["'])\s{0,5}data:image\/(png|jpe?g|gif|webp);base64,([a-z0-9+/=\s]+)\2/gi

/** The markup with `cid:` addresses in their place, and the pictures, each once. Beyond `most` of them the others stay where they are. */
export function liftPictures(html: string, most: number): { html: string; files: LetterFile[] } {
  const files = new Map<string, LetterFile>()
  const lifted = html.replace(picture, (whole: string, before: string, _quote, type: string, data: string) => {
    const bytes = Buffer.from(data, 'base64')
    const contentId = `${createHash('sha256').update(bytes).digest('hex').slice(0, 32)}@picture.invalid`
    if (bytes.length === 0 || (!files.has(contentId) && files.size >= most)) return whole
    const kind = type.toLowerCase().replace('jpg', 'jpeg')
    if (!files.has(contentId))
      files.set(contentId, { name: `image-${files.size + 1}.${kind.replace('jpeg', 'jpg')}`, type: `image/${kind}`, bytes, contentId, inline: true })
    return `${before}"cid:${contentId}"`
  })
  return { html: lifted, files: [...files.values()] }
}
