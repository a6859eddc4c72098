import { describe, expect, it } from "@effect/vitest"
import { withCall } from "@letterhead/core/call/CallContext"
import { HeaderResolver } from "@letterhead/core/HeaderResolver"
import { McpConfig } from "@letterhead/core/server/McpConfig"
import { McpTransport } from "@letterhead/mcp/McpTransport"
import * as EntryFixture from "@letterhead/testing/EntryFixture"
import * as LoopbackServer from "@letterhead/testing/LoopbackServer"
import { MockMcpTransport } from "@letterhead/testing/mocks/MockMcpTransport"
import * as MockHeaderSources from "@letterhead/testing/mocks/MockHeaderSources"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { spawn } from "node:child_process"
import { existsSync, mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import * as Letterhead from "../src/Letterhead.ts"

const temporary = Effect.acquireRelease(
  Effect.sync(() => realpathSync(mkdtempSync(join(tmpdir(), "letterhead-layer-")))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)

describe("Letterhead.layer", () => {
  it.live("makes a call from a configuration file to a server, with the headers of every source", () =>
    Effect.gen(function* () {
      const server = yield* LoopbackServer.make({ era: "modern" })
      const folder = yield* temporary
      writeFileSync(
        join(folder, "letterhead.json"),
        JSON.stringify({ mcpServers: { api: { url: server.url, headers: { "X-Team": "${TEAM}" } } } })
      )
      const session = MockHeaderSources.source({
        id: "session",
        rank: 650,
        headers: (call) => ({ "X-Session": call.sessionId ?? "none" })
      })
      const layer = Letterhead.layer({
        configFile: join(folder, "letterhead.json"),
        // The person's own folder, so that nothing needs an approval.
        configDirectory: folder,
        stateDirectory: join(folder, "state"),
        environment: { HOME: folder, TEAM: "blue" },
        sources: [session]
      })
      yield* Effect.gen(function* () {
        const connection = yield* (yield* McpTransport).connect("api")
        yield* withCall(connection.callTool("echo"), { sessionId: "s-1" })
      }).pipe(Effect.scoped, Effect.provide(layer))
      const call = (yield* server.requests).find(({ rpcMethod }) => rpcMethod === "tools/call")
      expect(call?.headers.get("x-team")).toBe("blue")
      expect(call?.headers.get("x-session")).toBe("s-1")
      // Nothing was approved, so nothing was kept.
      expect(readdirSync(folder)).toEqual(["letterhead.json"])
    })
  )

  it.live("takes entries of a program in place of any file", () =>
    Effect.gen(function* () {
      const folder = yield* temporary
      writeFileSync(join(folder, ".mcp.json"), JSON.stringify({ mcpServers: { file: { url: "http://127.0.0.1:9" } } }))
      const servers = yield* Effect.map(McpConfig, (config) => [...config.servers.keys()]).pipe(
        Effect.provide(
          Letterhead.layer({
            cwd: folder,
            servers: [EntryFixture.entry({ name: "mine" })],
            environment: { LETTERHEAD_HOME: join(folder, "home") }
          })
        )
      )
      expect(servers).toEqual(["mine"])
      expect(existsSync(join(folder, "home"))).toBe(false)
    })
  )

  it.live("reads a variable when it is needed, not when it is built", () =>
    Effect.gen(function* () {
      const folder = yield* temporary
      const environment: Record<string, string> = { HOME: folder, ROTATED: "one" }
      const entry = EntryFixture.entry({ headers: { "X-Key": "${ROTATED}" } })
      const value = Effect.gen(function* () {
        const [field] = yield* (yield* HeaderResolver).explain(entry, { principal: "local" })
        return field?.value === undefined ? undefined : Redacted.value(field.value)
      })
      yield* Effect.gen(function* () {
        expect(yield* value).toBe("one")
        environment["ROTATED"] = "two"
        expect(yield* value).toBe("two")
        delete environment["ROTATED"]
        expect(yield* Effect.flip(value)).toMatchObject({ reason: { _tag: "VariableMissing" } })
      }).pipe(Effect.provide(Letterhead.layer({ servers: [entry], environment })))
    })
  )

  it.live("fails with the file that is named and cannot be read", () =>
    Effect.gen(function* () {
      const folder = yield* temporary
      const layer = Letterhead.layer({ cwd: folder, configFile: "none.json", environment: { HOME: folder } })
      expect(yield* Effect.flip(Effect.provide(McpConfig, layer))).toMatchObject({
        _tag: "ConfigError",
        reason: { _tag: "DocumentUnreadable" }
      })
    })
  )
})

describe("Letterhead.layerTest", () => {
  it.effect("answers calls from functions and tells whose they were", () =>
    Effect.gen(function* () {
      const connection = yield* (yield* McpTransport).connect("linear")
      const result = yield* withCall(connection.callTool("issues", { open: true }), { sessionId: "s-1" })
      expect(result.content).toEqual([{ type: "text", text: "none for s-1" }])
      expect([...(yield* McpConfig).servers.keys()]).toEqual(["linear"])
      const entry = yield* (yield* McpConfig).get("linear")
      expect(yield* (yield* HeaderResolver).explain(entry, { principal: "local" })).toMatchObject([{ name: "X-Team" }])
      expect(yield* (yield* MockMcpTransport).calls).toMatchObject([
        { server: "linear", arguments: { open: true }, call: { sessionId: "s-1", tool: "issues" } }
      ])
    }).pipe(
      Effect.scoped,
      Effect.provide(
        Letterhead.layerTest({
          servers: { linear: { tools: { issues: (_args, call) => `none for ${call.sessionId}` } } },
          headers: { "X-Team": "blue" }
        })
      )
    )
  )

  it.live("touches no file, environment, network, process or keychain", () =>
    Effect.gen(function* () {
      const workspace = resolve(import.meta.dirname, "../../..")
      // Node itself refuses: reading is allowed in the workspace, where the program lies, and then not even there.
      const ended = yield* Effect.callback<{ code: number | null; output: string }>((done) => {
        const child = spawn(
          process.execPath,
          [
            "--permission",
            `--allow-fs-read=${workspace}`,
            `--allow-fs-read=${realpathSync(join(workspace, "node_modules"))}`,
            join(import.meta.dirname, "fixtures/layer-test.ts")
          ],
          { cwd: workspace, env: {}, stdio: ["ignore", "pipe", "pipe"] }
        )
        let output = ""
        child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()))
        child.stderr.on("data", (chunk: Buffer) => (output += chunk.toString()))
        child.once("close", (code) => done(Effect.succeed({ code, output })))
      })
      expect(ended).toEqual({ code: 0, output: "none\n" })
    })
  )
})
