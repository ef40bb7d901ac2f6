/** How the hub's process is run. */
export declare const hubFlags: string[]
/** With which variables: how memory is given back. */
export declare const hubEnv: Record<string, string>
/** Lays what is sent to browsers beside the files of a folder. */
export declare function compress(dist: string): void
/** A bundle's files are no longer what the last build left: the next one does not trust them. */
export declare function forgetBuild(name: string): void
