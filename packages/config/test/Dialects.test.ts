import { expect, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as Dialects from "../src/Dialects.ts"
import * as DocumentReader from "../src/DocumentReader.ts"

const recognised = (value: unknown, name = "/some/where/file.json") => {
  const dialect = Dialects.recognise(name, Result.getOrThrow(DocumentReader.fromValue(name, value)))
  return Result.isSuccess(dialect) ? dialect.success.id : dialect.failure.message
}

it("the name of a file decides, whatever is in it", () => {
  for (const [name, id] of [
    ["/a/letterhead.yaml", "native"],
    ["/a/.mcp.json", "claude-code"],
    ["/home/p/.claude.json", "claude-code-user"],
    ["/a/opencode.jsonc", "opencode"],
    ["/a/.oh/config.yaml", "openharness"],
    ["/.well-known/opencode", "opencode-well-known"]
  ] as const) {
    expect(recognised({ backends: [] }, name)).toBe(id)
  }
  expect(recognised({ mcp: {} }, "/a/not-letterhead.json")).toBe("opencode")
  expect(recognised({ mcpServers: {} }, "/a/config.yaml")).toBe("native")
})

it("under another name, what it looks like decides; the more marks, the surer", () => {
  for (const [value, id] of [
    [{ mcpServers: {} }, "native"],
    [{}, "native"],
    [[], "native"],
    [{ mcpServers: [] }, "openharness"],
    [{ mcpServers: {}, projects: {} }, "claude-code-user"],
    [{ mcp: {} }, "opencode"],
    [{ config: { mcp: {} }, auth: {} }, "opencode-well-known"],
    [{ backends: [], outgoingAuth: {} }, "toolhive"],
    [{ name: "x", serverType: "remote", serverUrl: "u", userConfig: {} }, "archestra"],
    [{ serverUrl: "u", serverType: "remote", mcpServers: {} }, "archestra"]
  ] as const) {
    expect(recognised(value)).toBe(id)
  }
})

it("where two are as likely, the error says which marks it found", () => {
  expect(recognised({ mcpServers: {}, mcp: {} })).toBe(
    '/some/where/file.json: expected a document in one dialect; found "mcpServers" as an object (Letterhead), "mcp" as an object (OpenCode); remove what is not meant, or name the file as its program does'
  )
})
