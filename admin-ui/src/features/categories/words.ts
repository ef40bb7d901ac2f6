/** Options are written one a line. */
export const linesOf = (event: Event): string[] => (event.target as HTMLTextAreaElement).value.split('\n')

/** Without empty lines, and each once. */
export const tidyLines = (lines: readonly string[]): string[] => [...new Set(lines.map((line) => line.trim()).filter(Boolean))]

/** The id of a field that is made now. */
export const newFieldId = (): string => `f${Date.now().toString(36)}`
