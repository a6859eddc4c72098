/**
 * Why a connection could not be made or a call did not succeed: one error, whose `reason` says what went wrong.
 *
 * What a server answered is shown with every value we sent masked (fault F83).
 */
import type { ConfigError } from "@letterhead/core/server/ConfigError"
import type { HeaderError } from "@letterhead/core/headers/HeaderError"
import * as Data from "effect/Data"

/** The entry is not there, or was skipped. Nothing was sent. */
export class ConfigFailed extends Data.TaggedError("ConfigFailed")<{ readonly error: ConfigError }> {
  override get message(): string {
    return this.error.message
  }
}

/** The headers could not be put together. The request was not sent. */
export class HeadersFailed extends Data.TaggedError("HeadersFailed")<{ readonly error: HeaderError }> {
  override get message(): string {
    return this.error.message
  }
}

/** The server refused the credential (401), after the one renewal that it is worth. */
export class Unauthorized extends Data.TaggedError("Unauthorized")<{
  /** The source that supplied the credential; `undefined` where none did. */
  readonly source: string | undefined
  readonly declared: string | undefined
  readonly description: string
}> {
  override get message(): string {
    return this.source === undefined
      ? `401: the server asks for a credential and no source supplies one; ${this.description}`
      : `401: the server refused the credential from ${this.source} (${this.declared}); ${this.description}`
  }
}

/** The server knows the caller and refuses the call (403). */
export class Forbidden extends Data.TaggedError("Forbidden")<{ readonly description: string }> {
  override get message(): string {
    return `403: ${this.description}`
  }
}

/** The server answered with another HTTP error. */
export class HttpFailed extends Data.TaggedError("HttpFailed")<{
  readonly status: number
  readonly description: string
  /** Milliseconds after which the server wants to be asked again, where it says so. */
  readonly retryAfter?: number | undefined
}> {
  override get message(): string {
    const again = this.retryAfter === undefined ? "" : `; it may be asked again in ${secondsOf(this.retryAfter)} s`
    return `HTTP ${this.status}: ${this.description}${again}`
  }
}

const secondsOf = (milliseconds: number): string => Math.ceil(milliseconds / 1_000).toLocaleString("en")

/** A proxy stands in the way: it refused the request, or what names it is no URL. */
export class ProxyFailed extends Data.TaggedError("ProxyFailed")<{
  /** Its origin, without credentials; or the variable that should name it. */
  readonly proxy: string
  readonly description: string
}> {
  override get message(): string {
    return `the proxy ${this.proxy} ${this.description}`
  }
}

/** The server answered with a redirect to another origin or path; no header went there. */
export class RedirectRefused extends Data.TaggedError("RedirectRefused")<{ readonly target: string }> {
  override get message(): string {
    return `the server redirects to ${this.target}; headers go to the configured URL only. If that is where the server is now, put it into "url"`
  }
}

/** No connection to the server. */
export class Unreachable extends Data.TaggedError("Unreachable")<{
  /** Its origin. */
  readonly url: string
  readonly description: string
}> {
  override get message(): string {
    return `cannot reach ${this.url}: ${this.description}`
  }
}

/** What should hold the certificates of further authorities holds none. Nothing was sent. */
export class AuthoritiesInvalid extends Data.TaggedError("AuthoritiesInvalid")<{ readonly description: string }> {
  override get message(): string {
    return `the certificate authorities ${this.description}`
  }
}

/** The server did not answer in time. */
export class CallTimedOut extends Data.TaggedError("CallTimedOut")<{
  readonly operation: string
  readonly milliseconds: number
}> {
  override get message(): string {
    return `${this.operation} was not answered within ${this.milliseconds} ms`
  }
}

/** The server answered the request with a JSON-RPC error, or with something that is not MCP. */
export class ProtocolFailed extends Data.TaggedError("ProtocolFailed")<{
  readonly code: number | undefined
  readonly description: string
}> {
  override get message(): string {
    return this.code === undefined ? this.description : `${this.description} (code ${this.code})`
  }
}

/** HTTP was asked for of a server that is a program. */
export class TransportUnsupported extends Data.TaggedError("TransportUnsupported")<{ readonly transport: string }> {
  override get message(): string {
    return `${this.transport} servers have no URL to fetch; use McpTransport.connect or McpTransport.transport`
  }
}

/** The connection was closed before the call was answered. */
export class ConnectionClosed extends Data.TaggedError("ConnectionClosed")<{ readonly description: string }> {
  override get message(): string {
    return this.description
  }
}

/** The program of a stdio server was not started: not trusted, not found, or a variable of it is not set. */
export class ProgramNotStarted extends Data.TaggedError("ProgramNotStarted")<{ readonly error: HeaderError }> {
  override get message(): string {
    return this.error.message
  }
}

/** The program of a stdio server ended, or was ended for what it did; the next connect starts it anew. */
export class ProgramEnded extends Data.TaggedError("ProgramEnded")<{
  readonly server: string
  /** What it did, such as `exited with code 1`. */
  readonly ending: string
  /** The exit code, where it exited. */
  readonly code: number | undefined
  /** The signal, where one ended it. */
  readonly signal: string | undefined
  /** The last lines of its standard error, with all masked that may be a secret. */
  readonly standardError: ReadonlyArray<string>
  /** Credential-like variables that were taken out of its environment. */
  readonly withheld: ReadonlyArray<string>
}> {
  override get message(): string {
    return [
      this.standardError.length === 0
        ? `the program ${this.ending}, and said nothing on standard error that can be shown`
        : `the program ${this.ending}; the end of its standard error, masked:`,
      ...this.standardError.map((line) => `  ${line}`),
      ...(this.withheld.length === 0
        ? []
        : [
            `These variables were taken out of its environment: ${this.withheld.join(", ")}; ` +
              `allow one with: letterhead trust approve ${this.server} --pass-env NAME`
          ])
    ].join("\n")
  }
}

/** The call is made on behalf of somebody else than the connection; nothing was sent (design rule 9). */
export class PrincipalMismatch extends Data.TaggedError("PrincipalMismatch")<{
  /** Whose connection it is. */
  readonly connection: string
  /** On whose behalf the call is made. */
  readonly call: string
}> {
  override get message(): string {
    return (
      `this connection is that of the principal "${this.connection}", and the call is made for "${this.call}"; ` +
      `connect within withCall(effect, { principal: "${this.call}" }), or make the call within the connection's`
    )
  }
}

/** The function that was given to `McpTransport.call` failed by itself. */
export class CallbackFailed extends Data.TaggedError("CallbackFailed")<{
  /** What it says, with what the call sent masked. */
  readonly description: string
  /** What it threw. */
  readonly cause: unknown
}> {
  override get message(): string {
    return `the function given to McpTransport.call failed: ${this.description}`
  }
}

export type McpErrorReason =
  | ConfigFailed
  | HeadersFailed
  | Unauthorized
  | Forbidden
  | HttpFailed
  | RedirectRefused
  | Unreachable
  | ProxyFailed
  | AuthoritiesInvalid
  | CallTimedOut
  | ProtocolFailed
  | TransportUnsupported
  | ConnectionClosed
  | ProgramNotStarted
  | ProgramEnded
  | PrincipalMismatch
  | CallbackFailed

/** The one error of `@letterhead/mcp`. */
export class McpError extends Data.TaggedError("McpError")<{
  /** The name of the entry; empty where a function given to `McpTransport.call` failed before it asked any server. */
  readonly server: string
  readonly reason: McpErrorReason
}> {
  override get message(): string {
    const text = this.reason.message
    if (this.server === "") return text
    return text.startsWith(`server "${this.server}"`) ? text : `server "${this.server}": ${text}`
  }
}
