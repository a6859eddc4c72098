/** What most people install: everything wired for Node. The parts are in the `@letterhead/*` packages. */
export * as Letterhead from "./Letterhead.ts"
