/** What most people install: everything wired for Node. The parts are in the `@letterhead/*` packages. */
export * as Letterhead from "./Letterhead.ts"
export type { CallFacts, OwnerFacts } from "./promise/CallFacts.ts"
export type { ClientConnection } from "./promise/ClientConnection.ts"
export { type ClientOptions, createLetterhead, LetterheadClient } from "./promise/LetterheadClient.ts"
export {
  ClosedError,
  ConfigurationError,
  HeaderSourceError,
  LetterheadError,
  type LetterheadErrorCode,
  NotTrustedError,
  RefusedError,
  ServerError,
  UnreachableError
} from "./promise/LetterheadError.ts"
export type { Asker, PromiseFeatures } from "./promise/PromiseFeatures.ts"
export type { PromiseHook } from "./promise/PromiseHook.ts"
