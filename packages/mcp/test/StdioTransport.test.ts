import { assert, describe, it } from "@effect/vitest"
import type { McpErrorReason } from "@letterhead/mcp/McpError"
import { RequestFailure } from "@letterhead/mcp/failure/RequestFailure"
import { StdioPrograms } from "@letterhead/mcp/stdio/StdioPrograms"
import * as StdioTransport from "@letterhead/mcp/stdio/StdioTransport"
import * as StdioServerFixture from "@letterhead/testing/StdioServerFixture"
import { Client } from "@modelcontextprotocol/client"
import { Client as OlderClient } from "@modelcontextprotocol/sdk/client/index.js"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { until } from "./support/Harness.ts"
import { entryOf, logged, programs } from "./support/Stdio.ts"

const CLIENT_INFO = { name: "test", version: "1.0.0" }

interface Connecting {
  readonly mode?: "legacy" | "auto"
  readonly connectTimeout?: number
}

/** A client of the SDK on a transport of ours, which are not connected yet. */
const make = Effect.fnUntraced(function* (
  fixture: StdioServerFixture.StdioServerFixture,
  { connectTimeout, mode = "auto" }: Connecting = {}
) {
  const ended: Array<McpErrorReason> = []
  const transport = yield* StdioTransport.make(
    yield* StdioPrograms,
    entryOf(fixture, connectTimeout === undefined ? {} : { connectTimeout }),
    (reason) => void ended.push(reason)
  )
  const client = new Client(CLIENT_INFO, { versionNegotiation: { mode } })
  return { client, transport, ended }
})

const connect = Effect.fnUntraced(function* (fixture: StdioServerFixture.StdioServerFixture, options: Connecting = {}) {
  const made = yield* make(fixture, options)
  yield* Effect.promise(() => made.client.connect(made.transport))
  return made
})

const call = (client: Client, name: string, args: Record<string, unknown> = {}) =>
  Effect.promise(() => client.callTool({ name, arguments: args }))

const gone = (fixture: StdioServerFixture.StdioServerFixture) =>
  until(Effect.map(fixture.alive, (pids) => pids.length === 0))

describe("StdioTransport", () => {
  const eras = [
    { era: "legacy", mode: "legacy", expected: "legacy" },
    { era: "legacy", mode: "auto", expected: "legacy" },
    { era: "modern", mode: "auto", expected: "modern" },
    { era: "both", mode: "legacy", expected: "legacy" },
    { era: "both", mode: "auto", expected: "modern" }
  ] as const

  for (const { era, expected, mode } of eras) {
    it.live(`a program that speaks ${era} and a client that negotiates ${mode} speak ${expected}`, () =>
      Effect.gen(function* () {
        const fixture = yield* StdioServerFixture.make({ era })
        yield* Effect.scoped(
          Effect.gen(function* () {
            const { client } = yield* connect(fixture, { mode })
            assert.strictEqual(client.getProtocolEra(), expected)
            const { content } = yield* call(client, "echo", { message: "zwölf €" })
            assert.deepStrictEqual(content, [{ type: "text", text: '{"message":"zwölf €"}' }])
          })
        )
        assert.deepStrictEqual(yield* fixture.alive, [])
        assert.strictEqual(yield* fixture.starts, 1)
      }).pipe(Effect.provide(programs()))
    )
  }

  it.live("the older SDK's client takes it as well", () =>
    Effect.gen(function* () {
      const fixture = yield* StdioServerFixture.make({ era: "legacy" })
      const { transport } = yield* make(fixture)
      const client = new OlderClient(CLIENT_INFO)
      yield* Effect.promise(() => client.connect(transport))
      const { content } = yield* Effect.promise(() => client.callTool({ name: "echo", arguments: { a: 1 } }))
      assert.deepStrictEqual(content, [{ type: "text", text: '{"a":1}' }])
    }).pipe(Effect.provide(programs()))
  )

  it.live("100 calls at once are each answered with their own", () =>
    Effect.gen(function* () {
      const fixture = yield* StdioServerFixture.make()
      const { client } = yield* connect(fixture)
      yield* Effect.forEach(
        Array.from({ length: 100 }, (_, index) => index),
        Effect.fnUntraced(function* (index) {
          const { content } = yield* call(client, "echo", { index, text: "x".repeat(index * 1_000) })
          assert.include(JSON.stringify(content), `\\"index\\":${index},`)
        }),
        { concurrency: "unbounded" }
      )
    }).pipe(Effect.provide(programs()))
  )

  it.live("a program that ends when it is asked server/discover is started once more, and is of the legacy era", () =>
    Effect.gen(function* () {
      const fixture = yield* StdioServerFixture.make({ era: "legacy", onDiscover: "exit" })
      const { client, ended } = yield* connect(fixture)
      assert.strictEqual(client.getProtocolEra(), "legacy")
      yield* call(client, "echo")
      assert.strictEqual(yield* fixture.starts, 2)
      assert.deepStrictEqual(ended, [])
    }).pipe(Effect.provide(programs()))
  )

  it.live("a program that does not answer server/discover is of the legacy era, and is not started anew", () =>
    Effect.gen(function* () {
      const fixture = yield* StdioServerFixture.make({ era: "legacy", onDiscover: "silence" })
      const { client } = yield* connect(fixture, { connectTimeout: 1_500 })
      assert.strictEqual(client.getProtocolEra(), "legacy")
      yield* call(client, "echo")
      assert.strictEqual(yield* fixture.starts, 1)
    }).pipe(Effect.provide(programs()))
  )

  it.live("what a program prints that is no message is skipped, and noted without its text", () =>
    Effect.gen(function* () {
      const fixture = yield* StdioServerFixture.make({
        stdout: 'Starting canary…\n\n{"half": \n[1,2]\n{"jsonrpc":"1.0","canary":true}\n'
      })
      const { lines } = yield* logged(
        Effect.gen(function* () {
          const { client } = yield* connect(fixture)
          const message = `${"canary\n".repeat(3)}\r\n`
          assert.deepStrictEqual((yield* call(client, "print", { message })).content, [
            { type: "text", text: "printed" }
          ])
          yield* Effect.forEach(Array.from({ length: 60 }), () => call(client, "print", { message }))
        })
      )
      const notes = lines.filter((line) => line.includes("are no messages"))
      assert.isAbove(notes.length, 0)
      assert.isAtMost(notes.length, StdioTransport.NOTED_LINES)
      assert.notInclude(lines.join("\n"), "canary")
    }).pipe(Effect.provide(programs()))
  )

  it.live("a program that floods standard output without a line break is ended, in bounded memory", () =>
    Effect.gen(function* () {
      const fixture = yield* StdioServerFixture.make()
      const { client, ended } = yield* connect(fixture)
      const before = process.memoryUsage().rss
      const error = yield* Effect.flip(Effect.tryPromise(() => client.callTool({ name: "flood", arguments: {} })))
      assert.isDefined(error)
      assert.include(ended[0]?.message, `printed a line of more than ${StdioTransport.LINE_LIMIT} bytes`)
      assert.isBelow(process.memoryUsage().rss - before, 8 * StdioTransport.LINE_LIMIT)
      yield* gone(fixture)
    }).pipe(Effect.provide(programs()))
  )

  const endings = [
    { tool: "exit", args: { code: 0 }, says: "exited with code 0", fields: { code: 0, signal: undefined } },
    { tool: "exit", args: { code: 3 }, says: "exited with code 3", fields: { code: 3, signal: undefined } },
    { tool: "kill", args: {}, says: "was killed by SIGKILL", fields: { code: undefined, signal: "SIGKILL" } }
  ] as const

  for (const { args, fields, says, tool } of endings) {
    it.live(`F19: a program that ${says} in the middle of a call ends it, and says so once to each who listens`, () =>
      Effect.gen(function* () {
        const fixture = yield* StdioServerFixture.make()
        const { client, ended, transport } = yield* connect(fixture)
        const errors: Array<unknown> = []
        let closed = 0
        Object.assign(client, {
          onerror: (error: Error) => void errors.push(error),
          onclose: () => void (closed += 1)
        })
        yield* Effect.flip(Effect.tryPromise(() => client.callTool({ name: tool, arguments: args })))
        assert.strictEqual(ended.length, 1)
        const [reason] = ended
        if (reason?._tag !== "ProgramEnded") return yield* Effect.die(new Error("it does not say that it ended"))
        assert.deepStrictEqual({ code: reason.code, signal: reason.signal }, fields)
        assert.include(reason.message, says)
        assert.instanceOf(errors[0], RequestFailure)
        const refused = yield* Effect.promise(() =>
          transport.send({ jsonrpc: "2.0", id: 99, method: "ping" }).catch((error: unknown) => error)
        )
        assert.strictEqual(refused instanceof RequestFailure ? refused.reason : undefined, reason)
        yield* Effect.promise(() => transport.close())
        assert.strictEqual(closed, 1)
        return assert.deepStrictEqual(yield* fixture.alive, [])
      }).pipe(Effect.provide(programs()))
    )
  }

  it.live("a program that exits at once fails the connect with its exit code and what it said", () =>
    Effect.gen(function* () {
      const fixture = yield* StdioServerFixture.make({ exits: 7, stderr: "Cannot open database\n" })
      const { client, ended, transport } = yield* make(fixture)
      yield* Effect.flip(Effect.tryPromise(() => client.connect(transport)))
      assert.strictEqual(
        ended[0]?.message,
        "the program exited with code 7; the end of its standard error, masked:\n  Cannot open database"
      )
    }).pipe(Effect.provide(programs()))
  )

  it.live("a cancelled call is cancelled at the program", () =>
    Effect.gen(function* () {
      const fixture = yield* StdioServerFixture.make()
      const lines: Array<string> = []
      yield* logged(
        Effect.gen(function* () {
          const { client } = yield* connect(fixture)
          const calling = yield* Effect.forkChild(
            Effect.tryPromise((signal) => client.callTool({ name: "slow", arguments: { ms: 20_000 } }, { signal }))
          )
          yield* call(client, "echo")
          yield* Fiber.interrupt(calling)
          // It says so on standard error, which is read when there is time.
          yield* until(Effect.sync(() => lines.join("\n").includes("call cancelled")))
        }).pipe(Effect.scoped),
        lines
      )
    }).pipe(Effect.provide(programs()))
  )

  it.live("closing while the program is being started leaves nothing behind", () =>
    Effect.gen(function* () {
      const fixture = yield* StdioServerFixture.make()
      const { transport } = yield* make(fixture)
      const starting = transport.start()
      yield* Effect.promise(() => transport.close())
      yield* Effect.promise(() => starting)
      yield* gone(fixture)
    }).pipe(Effect.provide(programs()))
  )
})
