import { describe, expect, it } from "@effect/vitest"
import * as NodePath from "@effect/platform-node/NodePath"
import * as Effect from "effect/Effect"
import * as Path from "effect/Path"
import * as Result from "effect/Result"
import { CANARY, randomDocument, randomFrom } from "../randomDocument.ts"
import type { Dialect, Reading } from "../../src/Dialect.ts"
import * as Dialects from "../../src/Dialects.ts"
import * as DocumentReader from "../../src/DocumentReader.ts"
import * as NativeWriter from "../../src/NativeWriter.ts"

const RUNS = 1_000

/** Where each dialect has what it reads, around an entry that could be read, so that most runs get that far. */
const wrapped: Readonly<Record<string, (value: unknown) => unknown>> = {
  native: (value) => ({ mcpServers: { a: { url: "https://a", ...Object(value) }, b: value } }),
  "claude-code": (value) => ({ mcpServers: { a: { url: "https://a", ...Object(value) }, b: value } }),
  "claude-code-user": (value) => ({ mcpServers: { a: { url: "https://a", ...Object(value) } }, projects: value }),
  opencode: (value) => ({ mcp: { a: { type: "remote", url: "https://a", ...Object(value) }, b: value } }),
  "opencode-well-known": (value) => ({ config: { mcp: { a: { type: "local", command: ["a"], ...Object(value) } } } }),
  openharness: (value) => ({ mcpServers: [{ name: "a", url: "https://a", ...Object(value) }, value] }),
  toolhive: (value) => ({ backends: [{ name: "a", url: "https://a" }, value], outgoingAuth: value }),
  archestra: (value) => ({ name: "a", serverUrl: "https://a", userConfig: value })
}

const messages = (reading: Reading): ReadonlyArray<string> => [
  ...reading.warnings.map(({ message }) => message),
  ...reading.servers.flatMap((server) => (server._tag === "Skipped" ? [server.reason.message] : []))
]

const decode = (dialect: Dialect, value: unknown, path: Path.Path, environment: Record<string, string> | undefined) =>
  dialect.decode(Result.getOrThrow(DocumentReader.fromValue("document", value)), {
    origin: { scope: "project", source: "document", directory: "/folder" },
    environment,
    path
  })

describe("a document of any kind", () => {
  for (const dialect of Dialects.all) {
    it.effect(`never breaks ${dialect.id}, and no message shows a value (${RUNS} documents)`, () =>
      Effect.gen(function* () {
        const path = yield* Path.Path
        let usable = 0
        for (let seed = 0; seed < RUNS; seed++) {
          const random = randomFrom(seed)
          const body = randomDocument(random)
          const value = random() < 0.3 ? body : wrapped[dialect.id]?.(body)
          const reading = decode(dialect, value, path, seed % 2 === 0 ? { SET: CANARY } : undefined)
          const said = Result.isSuccess(reading) ? messages(reading.success) : [reading.failure.message]
          // Keys and the names of plugins are shown.
          const leaked = said.filter((message) => message.includes(CANARY) && !message.startsWith("the plugin"))
          if (leaked.length > 0 || said.includes("")) expect.fail(`${seed}: ${leaked.join("; ")}`)
          if (Result.isFailure(reading)) continue
          usable += reading.success.servers.filter(({ _tag }) => _tag === "Read").length
          JSON.stringify(NativeWriter.write(reading.success, (hook) => hook))
        }
        expect(usable).toBeGreaterThan(0)
      }).pipe(Effect.provide(NodePath.layer))
    )
  }
})
