/**
 * What the exit code of the command says, and the one mapping from errors to it.
 *
 * | code | meaning |
 * |---|---|
 * | 0 | done |
 * | 1 | the tool, or the server in its place, reported an error |
 * | 2 | usage or configuration; a helper that fails is configuration |
 * | 3 | the server refused the caller (401, 403); nobody is signed in, or signing in failed |
 * | 4 | unreachable, timed out, or no MCP server; the authorization server gives no usable answer |
 * | 5 | not trusted; nothing was run or sent |
 * | 70 | a defect of the program |
 * | 130, 143 | ended by SIGINT, SIGTERM |
 */
import type { ConfigError } from "@letterhead/core/server/ConfigError"
import type { HeaderError, HeaderErrorReason } from "@letterhead/core/headers/HeaderError"
import type { McpError, McpErrorReason } from "@letterhead/mcp/McpError"
import type * as CliError from "effect/cli/CliError"
import type { PlatformError } from "effect/PlatformError"
import type { CliFailure } from "./CliFailure.ts"

export const ExitCode = {
  done: 0,
  toolFailed: 1,
  usage: 2,
  refused: 3,
  unreachable: 4,
  notTrusted: 5,
  defect: 70,
  interrupted: 130,
  terminated: 143
} as const

/** Every error that a verb can end with. */
export type VerbError = CliFailure | HeaderError | ConfigError | McpError | PlatformError | CliError.CliError

/** An error as it is reported: a stable name, a sentence, an exit code. */
export interface Verdict {
  readonly code: string
  readonly message: string
  readonly hint?: string
  readonly exitCode: number
}

export const verdictOf = (error: VerbError): Verdict => {
  switch (error._tag) {
    case "CliFailure":
      return {
        code: error.code,
        message: error.message,
        ...(error.hint === undefined ? {} : { hint: error.hint }),
        exitCode: failureCodes[error.code]
      }
    case "ConfigError":
      return { code: error.reason._tag, message: error.message, exitCode: ExitCode.usage }
    case "HeaderError":
      return { code: error.reason._tag, message: error.message, exitCode: headerCode(error.reason) }
    case "McpError":
      return { code: mcpName(error), message: error.message, exitCode: mcpCode(error) }
    case "PlatformError":
      return {
        code: error.reason._tag,
        message: `${error.reason.module}.${error.reason.method} did not work here: ${error.reason._tag}`,
        exitCode: ExitCode.usage
      }
    default:
      return { code: "UsageInvalid", message: error.message, exitCode: ExitCode.usage }
  }
}

const failureCodes: Readonly<Record<CliFailure["code"], number>> = {
  UsageInvalid: ExitCode.usage,
  ArgumentsInvalid: ExitCode.usage,
  ToolUnknown: ExitCode.usage,
  ConfigInvalid: ExitCode.usage,
  ApprovalMissing: ExitCode.usage,
  IncomingMissing: ExitCode.usage,
  ToolFailed: ExitCode.toolFailed,
  ApprovalRefused: ExitCode.notTrusted,
  DigestMismatch: ExitCode.notTrusted,
  CredentialUnknown: ExitCode.usage,
  CredentialUnset: ExitCode.usage,
  RevocationFailed: ExitCode.unreachable,
  SecretStoreFailed: ExitCode.usage
}

const headerCode = (reason: HeaderErrorReason): number => {
  switch (reason._tag) {
    case "NotTrusted":
    case "TrustRefused":
    case "TrustStoreFailed":
    case "FileChanged":
      return ExitCode.notTrusted
    case "SignInRequired":
    case "SignInFailed":
      return ExitCode.refused
    case "TimedOut":
    case "TokenFailed":
      return ExitCode.unreachable
    default:
      return ExitCode.usage
  }
}

/** The name of what went wrong, whichever package noticed it. */
const mcpName = (error: McpError): string =>
  error.reason._tag === "ConfigFailed" ||
  error.reason._tag === "HeadersFailed" ||
  error.reason._tag === "ProgramNotStarted"
    ? error.reason.error.reason._tag
    : error.reason._tag

const mcpCode = ({ reason }: McpError): number => {
  if (reason._tag === "HeadersFailed" || reason._tag === "ProgramNotStarted") return headerCode(reason.error.reason)
  // An error of JSON-RPC comes from the tool's side; an answer that is no JSON-RPC, from no MCP server.
  if (reason._tag === "ProtocolFailed") return reason.code === undefined ? ExitCode.unreachable : ExitCode.toolFailed
  return mcpCodes[reason._tag]
}

const mcpCodes: Readonly<
  Record<Exclude<McpErrorReason["_tag"], "HeadersFailed" | "ProgramNotStarted" | "ProtocolFailed">, number>
> = {
  ConfigFailed: ExitCode.usage,
  RedirectRefused: ExitCode.usage,
  TransportUnsupported: ExitCode.usage,
  Unauthorized: ExitCode.refused,
  Forbidden: ExitCode.refused,
  HttpFailed: ExitCode.unreachable,
  Unreachable: ExitCode.unreachable,
  ProxyFailed: ExitCode.unreachable,
  AuthoritiesInvalid: ExitCode.usage,
  CallTimedOut: ExitCode.unreachable,
  ConnectionClosed: ExitCode.unreachable,
  ProgramEnded: ExitCode.unreachable,
  PrincipalMismatch: ExitCode.defect,
  CallbackFailed: ExitCode.defect
}
