/**
 * What the Promise face rejects with: classes to catch, and a `code` that stays the same from version to version.
 *
 * The codes are the names that `letterhead --json` prints. A message never holds a value that was sent. An aborted
 * signal rejects with the signal's own reason instead, as `fetch` does.
 */
import type { ConfigError, ConfigErrorReason } from "@letterhead/core/server/ConfigError"
import type { HeaderError, HeaderErrorReason } from "@letterhead/core/headers/HeaderError"
import type { McpError, McpErrorReason } from "@letterhead/mcp/McpError"

/** What went wrong, in detail; its `_tag` is the code. */
export type Reason =
  | ConfigErrorReason
  | HeaderErrorReason
  | Exclude<McpErrorReason, { readonly _tag: "ConfigFailed" | "HeadersFailed" | "ProgramNotStarted" }>

export type LetterheadErrorCode = Reason["_tag"] | "Closed"

/** Every error of the Promise face. */
export class LetterheadError extends Error {
  override readonly name: string = "LetterheadError"
  readonly code: LetterheadErrorCode
  /** The server that it concerns, where it concerns one. */
  readonly server: string | undefined
  /** Absent where the code says everything. */
  readonly reason: Reason | undefined

  constructor(message: string, details: { code: LetterheadErrorCode; server?: string | undefined; reason?: Reason }) {
    super(message)
    this.code = details.code
    this.server = details.server
    this.reason = details.reason
  }
}

/** The configuration cannot be used: a file, an entry, a variable. Nothing was sent. */
export class ConfigurationError extends LetterheadError {
  override readonly name = "ConfigurationError"
}

/** Somebody else's file wants something run or sent that nobody approved. Nothing was. */
export class NotTrustedError extends LetterheadError {
  override readonly name = "NotTrustedError"
}

/** The headers could not be put together: a helper, a hook, a credential, a call context. The request was not sent. */
export class HeaderSourceError extends LetterheadError {
  override readonly name = "HeaderSourceError"
}

/** The server refuses the caller (401, 403), after the one renewal that a credential is worth, or nobody signed in. */
export class RefusedError extends LetterheadError {
  override readonly name = "RefusedError"
}

/** No answer: the server cannot be reached, the connection closed, or the time was over. */
export class UnreachableError extends LetterheadError {
  override readonly name = "UnreachableError"
}

/** The server answered with an error, or with something that is not MCP. */
export class ServerError extends LetterheadError {
  override readonly name = "ServerError"
}

/** Used after it was closed. */
export class ClosedError extends LetterheadError {
  override readonly name = "ClosedError"

  constructor(what: string) {
    super(`${what} is closed`, { code: "Closed" })
  }
}

/** The error of the Promise face for one of ours. */
export const of = (error: McpError | HeaderError | ConfigError): LetterheadError => {
  switch (error._tag) {
    case "ConfigError":
      return new ConfigurationError(error.message, { code: error.reason._tag, reason: error.reason })
    case "HeaderError":
      return ofHeaders(error.message, error.server, error.reason)
    default:
      return ofMcp(error)
  }
}

const ofMcp = ({ message, reason, server }: McpError): LetterheadError => {
  switch (reason._tag) {
    case "ConfigFailed":
      return new ConfigurationError(message, { ...detail(reason.error.reason), server })
    case "HeadersFailed":
      return ofHeaders(message, server, reason.error.reason)
    case "ProgramNotStarted": {
      const Class = HEADER_CLASSES.get(reason.error.reason._tag) ?? ConfigurationError
      return new Class(message, { ...detail(reason.error.reason), server })
    }
    default:
      return new CLASSES[reason._tag](message, { ...detail(reason), server })
  }
}

const ofHeaders = (message: string, server: string | undefined, reason: HeaderErrorReason): LetterheadError =>
  new (HEADER_CLASSES.get(reason._tag) ?? HeaderSourceError)(message, { ...detail(reason), server })

const detail = (reason: Reason) => ({ code: reason._tag, reason })

const HEADER_CLASSES: ReadonlyMap<string, typeof LetterheadError> = new Map<
  HeaderErrorReason["_tag"],
  typeof LetterheadError
>([
  ["NotTrusted", NotTrustedError],
  ["TrustRefused", NotTrustedError],
  ["TrustStoreFailed", NotTrustedError],
  ["FileChanged", NotTrustedError],
  ["SignInRequired", RefusedError],
  ["SignInFailed", RefusedError],
  ["TokenFailed", UnreachableError]
])

type Code = Exclude<McpErrorReason["_tag"], "ConfigFailed" | "HeadersFailed" | "ProgramNotStarted">

const CLASSES: Readonly<Record<Code, typeof LetterheadError>> = {
  Unauthorized: RefusedError,
  Forbidden: RefusedError,
  HttpFailed: ServerError,
  ProtocolFailed: ServerError,
  RedirectRefused: ServerError,
  Unreachable: UnreachableError,
  ProxyFailed: UnreachableError,
  CallTimedOut: UnreachableError,
  ConnectionClosed: UnreachableError,
  ProgramEnded: UnreachableError,
  TransportUnsupported: ConfigurationError,
  AuthoritiesInvalid: ConfigurationError,
  PrincipalMismatch: LetterheadError,
  CallbackFailed: LetterheadError
}
