/** What the doctor says: one line for each thing it looked at, with a remedy for what is not as it should be. */
export interface Finding {
  what: string
  state: 'ok' | 'warn' | 'bad'
  detail: string
  mend?: string
}

export class Findings {
  readonly all: Finding[] = []
  ok(what: string, detail: string): void {
    this.all.push({ what, state: 'ok', detail })
  }
  warn(what: string, detail: string, mend: string): void {
    this.all.push({ what, state: 'warn', detail, mend })
  }
  bad(what: string, detail: string, mend: string): void {
    this.all.push({ what, state: 'bad', detail, mend })
  }
}

/** A code where there is one: it is what an operator looks for. */
export const wordOf = (error: unknown): string => ((error as { code?: string }).code ?? (error as Error).message).toString()
