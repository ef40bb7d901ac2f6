/** Of what was sent, what is named here: a request is never handed on to an update as it came. */
export const pick = <T extends object, K extends keyof T & string>(sent: T, names: readonly K[]): Pick<T, K> =>
  Object.fromEntries(names.filter((name) => sent[name] !== undefined).map((name) => [name, sent[name]])) as Pick<T, K>
