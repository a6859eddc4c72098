import { describe, expect, it } from "@effect/vitest"
import { ConfigError, ServerUnknown } from "@letterhead/core/server/ConfigError"
import * as Reason from "@letterhead/core/headers/HeaderError"
import * as Mcp from "@letterhead/mcp/McpError"
import { CliFailure } from "../../src/cli/CliFailure.ts"
import { type VerbError, verdictOf } from "../../src/cli/ExitCode.ts"

const header = (reason: Reason.HeaderErrorReason) => new Reason.HeaderError({ server: "s", reason })
const mcp = (reason: Mcp.McpErrorReason) => new Mcp.McpError({ server: "s", reason })
const unknown = new ConfigError({ reason: new ServerUnknown({ server: "s", known: [] }) })
const notTrusted = new Reason.NotTrusted({ server: "s", configuration: "c", digest: "d", subject: [], changes: [] })

const table: ReadonlyArray<readonly [error: VerbError, code: string, exitCode: number]> = [
  [new CliFailure({ code: "ToolFailed", message: "m" }), "ToolFailed", 1],
  [mcp(new Mcp.ProtocolFailed({ code: -32602, description: "d" })), "ProtocolFailed", 1],
  [new CliFailure({ code: "UsageInvalid", message: "m" }), "UsageInvalid", 2],
  [unknown, "ServerUnknown", 2],
  [mcp(new Mcp.ConfigFailed({ error: unknown })), "ServerUnknown", 2],
  [header(new Reason.ExitedWith({ code: 3, withheld: [] })), "ExitedWith", 2],
  [mcp(new Mcp.HeadersFailed({ error: header(new Reason.OutputEmpty({ withheld: [] })) })), "OutputEmpty", 2],
  [mcp(new Mcp.RedirectRefused({ target: "t" })), "RedirectRefused", 2],
  [mcp(new Mcp.TransportUnsupported({ transport: "stdio" })), "TransportUnsupported", 2],
  [mcp(new Mcp.Unauthorized({ source: "static", declared: "d", description: "d" })), "Unauthorized", 3],
  [mcp(new Mcp.Forbidden({ description: "d" })), "Forbidden", 3],
  [mcp(new Mcp.Unreachable({ url: "u", description: "d" })), "Unreachable", 4],
  [mcp(new Mcp.CallTimedOut({ operation: "o", milliseconds: 1 })), "CallTimedOut", 4],
  [mcp(new Mcp.HttpFailed({ status: 503, description: "d" })), "HttpFailed", 4],
  [mcp(new Mcp.ConnectionClosed({ description: "d" })), "ConnectionClosed", 4],
  [mcp(new Mcp.ProtocolFailed({ code: undefined, description: "d" })), "ProtocolFailed", 4],
  [header(new Reason.TimedOut({ milliseconds: 1 })), "TimedOut", 4],
  [header(notTrusted), "NotTrusted", 5],
  [mcp(new Mcp.HeadersFailed({ error: header(notTrusted) })), "NotTrusted", 5],
  [header(new Reason.FileChanged({ path: "p" })), "FileChanged", 5],
  [header(new Reason.TrustRefused({ path: "p", rule: "r" })), "TrustRefused", 5],
  [header(new Reason.TrustStoreFailed({ path: "p", description: "d" })), "TrustStoreFailed", 5],
  [new CliFailure({ code: "ApprovalRefused", message: "m" }), "ApprovalRefused", 5]
]

describe("ExitCode", () => {
  for (const [error, code, exitCode] of table) {
    it(`${error._tag} of ${code} ends with ${exitCode}`, () => {
      expect(verdictOf(error)).toMatchObject({ code, exitCode, message: error.message })
    })
  }
})
