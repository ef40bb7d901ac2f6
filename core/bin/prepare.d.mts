/** How the hub's process is run. */
export declare const hubFlags: string[]
