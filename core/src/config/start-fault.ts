/** Why the hub cannot start, in one sentence with its remedy: printed as it is, without a stack, then exit 1. */
export class StartFault extends Error {}
