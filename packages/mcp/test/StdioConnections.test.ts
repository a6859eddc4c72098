import { assert, describe, it } from "@effect/vitest"
import { withCall } from "@letterhead/core/call/CallContext"
import { HeaderResolver } from "@letterhead/core/HeaderResolver"
import * as McpConfig from "@letterhead/core/server/McpConfig"
import { McpTransport, layer as transportLayer } from "@letterhead/mcp/McpTransport"
import * as StdioPrograms from "@letterhead/mcp/stdio/StdioPrograms"
import * as EntryFixture from "@letterhead/testing/EntryFixture"
import * as StdioServerFixture from "@letterhead/testing/StdioServerFixture"
import { Client } from "@modelcontextprotocol/client"
import { Client as OlderClient } from "@modelcontextprotocol/sdk/client/index.js"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { reasonOf, until } from "./support/Harness.ts"
import { entryOf, programs } from "./support/Stdio.ts"

/** Dies where headers are asked for: a program gets none. */
const noHeaders = Layer.succeed(HeaderResolver, {
  open: () => Effect.die(new Error("headers were asked for")),
  explain: () => Effect.die(new Error("headers were asked for"))
})

const services = transportLayer.pipe(Layer.provide([McpConfig.layer([]), noHeaders]), Layer.provideMerge(programs()))

const textOf = (result: { readonly content: ReadonlyArray<unknown> }): string => JSON.stringify(result.content)

describe("a connection to a program", () => {
  for (const era of ["legacy", "modern"] as const) {
    it.live(`calls tools in the ${era} era, for sessions that share it, and ends with its scope`, () =>
      Effect.gen(function* () {
        const fixture = yield* StdioServerFixture.make({ era })
        const transport = yield* McpTransport
        yield* Effect.scoped(
          Effect.gen(function* () {
            const connection = yield* transport.connect(entryOf(fixture))
            assert.strictEqual(connection.era, era)
            assert.strictEqual(connection.serverInfo.name, "stdio-fixture")
            assert.include(
              (yield* connection.listTools).map(({ name }) => name),
              "echo"
            )
            const results = yield* Effect.forEach(
              Array.from({ length: 50 }, (_, index) => index),
              (index) =>
                withCall(connection.callTool("echo", { index }), { sessionId: `s-${index}` }).pipe(
                  Effect.map((result) => textOf(result).includes(`\\"index\\":${index}}`))
                ),
              { concurrency: "unbounded" }
            )
            assert.isTrue(results.every(Boolean))
          })
        )
        assert.strictEqual(yield* fixture.starts, 1)
        assert.deepStrictEqual(yield* fixture.alive, [])
      }).pipe(Effect.provide(services))
    )
  }

  it.live("F84: two principals have a program each", () =>
    Effect.gen(function* () {
      const fixture = yield* StdioServerFixture.make()
      const transport = yield* McpTransport
      yield* transport.connect(entryOf(fixture), { principal: "ada" })
      yield* transport.connect(entryOf(fixture), { principal: "bob" })
      assert.strictEqual(yield* fixture.starts, 2)
    }).pipe(Effect.scoped, Effect.provide(services))
  )

  it.live("a program killed in the middle of calls fails each, and the next connect starts it anew", () =>
    Effect.gen(function* () {
      const fixture = yield* StdioServerFixture.make()
      const entry = entryOf(fixture)
      const transport = yield* McpTransport
      const connection = yield* transport.connect(entry)
      const waiting = yield* Effect.forkChild(reasonOf(connection.callTool("slow", { ms: 60_000 })))
      yield* connection.callTool("echo")
      for (const pid of yield* fixture.alive) process.kill(pid, "SIGSEGV")
      assert.include((yield* Fiber.join(waiting)).message, "was killed by SIGSEGV")
      // Whoever still holds the old connection is told the same.
      assert.strictEqual((yield* reasonOf(connection.callTool("echo")))._tag, "ProgramEnded")

      const again = yield* transport.connect(entry)
      assert.include(textOf(yield* again.callTool("echo", { again: true })), "again")
      assert.strictEqual(yield* fixture.starts, 2)
    }).pipe(Effect.scoped, Effect.provide(services))
  )

  it.live("a program that exits at once is the error of connect, with its exit code and what it said", () =>
    Effect.gen(function* () {
      const fixture = yield* StdioServerFixture.make({ exits: 9, stderr: "port is taken\n" })
      const transport = yield* McpTransport
      const error = yield* Effect.flip(Effect.scoped(transport.connect(entryOf(fixture))))
      assert.strictEqual(error.reason._tag, "ProgramEnded")
      assert.include(error.message, 'server "example": the program exited with code 9')
      assert.include(error.message, "port is taken")
    }).pipe(Effect.provide(services))
  )

  it.live("F58: a program that never answers is given up after the time to connect, and ended", () =>
    Effect.gen(function* () {
      const fixture = yield* StdioServerFixture.make({ silent: true })
      const transport = yield* McpTransport
      const entry = entryOf(fixture, { connectTimeout: 1_500 })
      const reason = yield* reasonOf(Effect.scoped(transport.connect(entry)))
      assert.strictEqual(reason._tag, "CallTimedOut")
      assert.strictEqual(reason.message, "connecting was not answered within 1500 ms")
      yield* until(Effect.map(fixture.alive, (pids) => pids.length === 0))
    }).pipe(Effect.provide(services))
  )

  it.live("a call that is given up is cancelled at the program, which goes on to answer others", () =>
    Effect.gen(function* () {
      const fixture = yield* StdioServerFixture.make()
      const connection = yield* (yield* McpTransport).connect(entryOf(fixture))
      const reason = yield* reasonOf(connection.callTool("slow", { ms: 60_000 }, { timeout: 300 }))
      assert.strictEqual(reason._tag, "CallTimedOut")
      yield* connection.callTool("echo")
    }).pipe(Effect.scoped, Effect.provide(services))
  )

  it.live("a flood on standard output ends the call with an error of its own", () =>
    Effect.gen(function* () {
      const fixture = yield* StdioServerFixture.make()
      const connection = yield* (yield* McpTransport).connect(entryOf(fixture))
      const reason = yield* reasonOf(connection.callTool("flood"))
      assert.strictEqual(reason._tag, "ProgramEnded")
      assert.include(reason.message, "printed a line of more than")
    }).pipe(Effect.scoped, Effect.provide(services))
  )

  it.live("the clients of both SDKs take its transport, and are told when it ends", () =>
    Effect.gen(function* () {
      const fixture = yield* StdioServerFixture.make()
      const { transport } = yield* McpTransport
      const current = new Client({ name: "test", version: "1.0.0" }, { versionNegotiation: { mode: "auto" } })
      const older = new OlderClient({ name: "test", version: "1.0.0" })
      const one = yield* transport(entryOf(fixture))
      const other = yield* transport(entryOf(fixture))
      yield* Effect.promise(() => current.connect(one))
      yield* Effect.promise(() => older.connect(other))
      assert.strictEqual(current.getProtocolEra(), "modern")
      const callers: ReadonlyArray<(name: string, args: Record<string, unknown>) => Promise<unknown>> = [
        (name, args) => current.callTool({ name, arguments: args }).then(({ content }) => content),
        (name, args) => older.callTool({ name, arguments: args }).then(({ content }) => content)
      ]
      for (const call of callers) {
        assert.deepStrictEqual(yield* Effect.promise(() => call("echo", { a: 1 })), [{ type: "text", text: '{"a":1}' }])
        assert.isDefined(yield* Effect.flip(Effect.tryPromise(() => call("exit", { code: 1 }))))
      }
      yield* until(Effect.map(fixture.alive, (pids) => pids.length === 0))
    }).pipe(Effect.scoped, Effect.provide(services))
  )

  it.effect("there is nothing to fetch from it", () =>
    Effect.gen(function* () {
      const { fetch, httpClient } = yield* McpTransport
      const entry = EntryFixture.entry({ stdio: { command: "node" } })
      for (const face of [Effect.asVoid(fetch(entry)), Effect.asVoid(httpClient(entry))]) {
        const { message, reason } = yield* Effect.flip(face)
        assert.strictEqual(reason._tag, "TransportUnsupported")
        assert.include(message, "use McpTransport.connect or McpTransport.transport")
      }
    }).pipe(Effect.scoped, Effect.provide(services))
  )

  it.effect("a runtime that starts no programs says so", () =>
    Effect.gen(function* () {
      const entry = EntryFixture.entry({ stdio: { command: "node" } })
      const error = yield* Effect.flip(Effect.scoped((yield* McpTransport).connect(entry)))
      assert.strictEqual(error.reason._tag, "ProgramNotStarted")
      assert.include(error.message, "starts none")
    }).pipe(
      Effect.provide(transportLayer.pipe(Layer.provide([McpConfig.layer([]), noHeaders, StdioPrograms.layerDenyAll])))
    )
  )
})
