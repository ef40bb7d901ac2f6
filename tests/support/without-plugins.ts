/** The checkout without its `plugins` folder: the core's own tests must pass there, since the core knows no plugin. */
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

/** What the repository holds but plugins, in a folder of its own; the caller removes it. */
export function copyWithoutPlugins(root: string): string {
  const copy = mkdtempSync(join(tmpdir(), 'huike-bare-'))
  const files = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: root, encoding: 'utf8' }).split('\0')
  for (const file of files) {
    // Deleted, but not yet in the index.
    if (file === '' || file.startsWith('plugins/') || !existsSync(join(root, file))) continue
    mkdirSync(dirname(join(copy, file)), { recursive: true })
    cpSync(join(root, file), join(copy, file))
  }
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
  return copy
}

/** A test of the shipped whole says so in its header, or imports what it is about. */
export const needsPlugins = (file: string): boolean => /\bNeeds the bundled plugins\b|['"](?:\.\.\/)+plugins\//.test(readFileSync(file, 'utf8'))

/**
 * Its hub runs in the test's own process with the plugins that the test names: whether there is a folder of others makes
 * no difference to it.
 */
export function namesItsPlugins(file: string): boolean {
  const text = readFileSync(file, 'utf8')
  return (
    !needsPlugins(file) &&
    /\b(?:onEveryProfile|startWorld)\(/.test(text) &&
    !/main\.ts|hub-process|support\/command|\bspawn|readdir|glob|existsSync|\bstartHub\b/.test(text)
  )
}
