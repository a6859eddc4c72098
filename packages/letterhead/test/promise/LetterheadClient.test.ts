/** The Promise face, over a real server, and over the mocks of a runtime's tests. */
import { assert, describe, it } from "@effect/vitest"
import * as LoopbackServer from "@letterhead/testing/LoopbackServer"
import { Client } from "@modelcontextprotocol/client"
import { Client as OlderClient } from "@modelcontextprotocol/sdk/client/index.js"
import * as Effect from "effect/Effect"
import * as Letterhead from "../../src/Letterhead.ts"
import { LetterheadClient } from "../../src/promise/LetterheadClient.ts"
import * as Errors from "../../src/promise/LetterheadError.ts"
import type { PromiseHook } from "../../src/promise/PromiseHook.ts"
import { CANARY, clientOf, rejection } from "./Client.ts"

const sessionHook: PromiseHook = {
  name: "session",
  "mcp.call.before": (input, output) => {
    output.headers["X-Session"] = input.sessionID
  }
}

/** The stream on which it is told opens beside the calls. */
const notifyLater = (server: LoopbackServer.LoopbackServer) =>
  Effect.andThen(Effect.sleep(50), server.notifyToolsChanged)

describe("createLetterhead", () => {
  for (const era of ["legacy", "modern"] as const) {
    it.live(`two sessions share a connection, and each call carries its own headers (${era})`, () =>
      Effect.gen(function* () {
        const server = yield* LoopbackServer.make({ era })
        const letterhead = yield* clientOf({ url: server.url, headers: { "X-Team": "blue" } }, { hooks: [sessionHook] })
        yield* Effect.promise(async () => {
          await using connection = await letterhead.connect("api")
          assert.strictEqual(connection.era, era)
          assert.strictEqual(connection.server, "api")
          await Promise.all(
            ["one", "two", "three"].map((session) => connection.callTool("echo", { session }, { session }))
          )
          assert.isNotEmpty(await connection.listTools({ session: "one" }))
        })
        const calls = (yield* server.requests).filter(({ rpcMethod }) => rpcMethod === "tools/call")
        assert.sameMembers(
          calls.map(({ headers }) => headers.get("x-session") ?? ""),
          ["one", "two", "three"]
        )
        for (const { headers, sessionMark } of calls) {
          assert.strictEqual(headers.get("x-session"), sessionMark)
          assert.strictEqual(headers.get("x-team"), "blue")
        }
        // Closing the only connection ended its session.
        assert.deepStrictEqual(yield* server.sessions, [])
      })
    )
  }

  it.live("a hook may wait, delete a header and set one; others stay", () =>
    Effect.gen(function* () {
      const server = yield* LoopbackServer.make({ era: "modern" })
      const letterhead = yield* clientOf(
        { url: server.url, headers: { "X-Team": "blue", "X-Gone": "yes" } },
        {
          hooks: [
            {
              name: "later",
              "mcp.call.before": async (_input, output) => {
                await Promise.resolve()
                delete output.headers["X-Gone"]
                output.headers["X-Added"] = "1"
              }
            }
          ]
        }
      )
      yield* Effect.promise(async () => {
        const connection = await letterhead.connect("api")
        await connection.callTool("echo", {}, { session: "one" })
      })
      const call = (yield* server.requests).find(({ rpcMethod }) => rpcMethod === "tools/call")
      assert.deepStrictEqual(
        ["x-team", "x-gone", "x-added"].map((name) => call?.headers.get(name)),
        ["blue", undefined, "1"]
      )
    })
  )

  it.live("incoming headers of the request that is served are let through where the entry lists them", () =>
    Effect.gen(function* () {
      const server = yield* LoopbackServer.make({ era: "modern" })
      const letterhead = yield* clientOf({ url: server.url, passthroughHeaders: ["X-User-Token"] })
      yield* Effect.promise(async () => {
        const connection = await letterhead.connect("api", { incoming: { "x-user-token": "of the connection" } })
        await connection.callTool("echo", {}, { session: "one", incoming: { "x-user-token": "t1", "x-other": "no" } })
      })
      const call = (yield* server.requests).find(({ rpcMethod }) => rpcMethod === "tools/call")
      assert.strictEqual(call?.headers.get("x-user-token"), "t1")
      assert.isFalse(call?.headers.has("x-other"))
    })
  )

  it.live("an aborted call rejects with the signal's reason and is cancelled at the server", () =>
    Effect.gen(function* () {
      const server = yield* LoopbackServer.make({ era: "legacy" })
      const letterhead = yield* clientOf({ url: server.url })
      const connection = yield* Effect.promise(() => letterhead.connect("api"))
      const controller = new AbortController()
      const reason = new Error("enough")
      const pending = rejection(() => connection.callTool("slow", { ms: 30_000 }, { signal: controller.signal }))
      const [error] = yield* Effect.all(
        [
          pending,
          Effect.gen(function* () {
            while ((yield* server.slowCalls).length === 0) yield* Effect.sleep(5)
            controller.abort(reason)
          })
        ],
        { concurrency: 2 }
      )
      assert.strictEqual(error, reason)
      yield* Effect.promise(() => connection.close())
      assert.isTrue((yield* server.requests).some(({ rpcMethod }) => rpcMethod === "notifications/cancelled"))
    })
  )

  it.live("a server's question is answered for the session whose call it is, and its progress arrives", () =>
    Effect.gen(function* () {
      const server = yield* LoopbackServer.make({ era: "modern", responses: "sse" })
      const asked: Array<string | undefined> = []
      const letterhead = yield* clientOf(
        { url: server.url },
        {
          features: {
            elicitation: async (_params, asker) => {
              asked.push(asker.session)
              return { action: "decline" }
            }
          }
        }
      )
      const steps: Array<number> = []
      yield* Effect.promise(async () => {
        const connection = await letterhead.connect("api")
        await connection.callTool("elicit", {}, { session: "one" })
        await connection.callTool(
          "progress",
          {},
          { session: "one", onProgress: ({ progress }) => steps.push(progress) }
        )
      })
      assert.isNotEmpty(asked)
      assert.isTrue(asked.every((session) => session === "one"))
      assert.isNotEmpty(steps)
    })
  )

  it.live("events reach whoever listens, until the loop is left", () =>
    Effect.gen(function* () {
      const server = yield* LoopbackServer.make({ era: "legacy" })
      const letterhead = yield* clientOf({ url: server.url })
      const connection = yield* Effect.promise(() => letterhead.connect("api"))
      const first = Effect.promise(async () => {
        for await (const event of connection.events()) return event
        return undefined
      })
      const [event] = yield* Effect.all([first, Effect.repeat(notifyLater(server), { times: 20 })], { concurrency: 2 })
      assert.deepStrictEqual(event, { _tag: "ListChanged", list: "tools" })
    })
  )

  it.live("clients of both SDKs take a transport, and each call its own options", () =>
    Effect.gen(function* () {
      const server = yield* LoopbackServer.make({ era: "both" })
      const letterhead = yield* clientOf({ url: server.url }, { hooks: [sessionHook] })
      yield* Effect.promise(async () => {
        const newer = new Client({ name: "newer", version: "1" }, { versionNegotiation: { mode: "auto" } })
        await newer.connect(await letterhead.transport("api"))
        const older = new OlderClient({ name: "older", version: "1" })
        await older.connect(await letterhead.transport("api"))
        await Promise.all(
          ["one", "two"].flatMap((session) => [
            newer.callTool({ name: "echo", arguments: { session } }, letterhead.callOptions({ session })),
            older.callTool({ name: "echo", arguments: { session } }, undefined, letterhead.callOptions({ session }))
          ])
        )
        await newer.close()
        await older.close()
      })
      const calls = (yield* server.requests).filter(({ rpcMethod }) => rpcMethod === "tools/call")
      assert.lengthOf(calls, 4)
      for (const { headers, sessionMark } of calls) assert.strictEqual(headers.get("x-session"), sessionMark)
    })
  )

  it.live("a fetch carries the headers of the session it was made for", () =>
    Effect.gen(function* () {
      const server = yield* LoopbackServer.make({ era: "modern" })
      const letterhead = yield* clientOf({ url: server.url, headers: { "X-Team": "blue" } })
      yield* Effect.promise(async () => {
        const fetch = await letterhead.fetch("api", { session: "one" })
        await (await fetch(server.url, { method: "GET" })).text()
      })
      assert.strictEqual((yield* server.requests)[0]?.headers.get("x-team"), "blue")
    })
  )

  it.live("tells which headers a call would carry, masked, and sends nothing", () =>
    Effect.gen(function* () {
      const server = yield* LoopbackServer.make({ era: "modern" })
      const letterhead = yield* clientOf({ url: server.url, headers: { "X-Key": CANARY } }, { hooks: [sessionHook] })
      const headers = yield* Effect.promise(() => letterhead.headers("api", { session: "one" }))
      assert.deepStrictEqual(
        headers.map(({ name, sent, source }) => [name, sent, source]),
        [
          ["X-Key", true, "static"],
          ["X-Session", true, "hook"]
        ]
      )
      assert.notInclude(JSON.stringify(headers), CANARY)
      assert.deepStrictEqual(yield* server.requests, [])
    })
  )
})

describe("closing", () => {
  it.live("ends the connections that are open, and refuses what comes after", () =>
    Effect.gen(function* () {
      const server = yield* LoopbackServer.make({ era: "legacy" })
      const letterhead = yield* clientOf({ url: server.url })
      const connection = yield* Effect.promise(() => letterhead.connect("api"))
      assert.lengthOf(yield* server.sessions, 1)
      yield* Effect.promise(() => letterhead.close())
      yield* Effect.promise(() => letterhead.close())
      assert.deepStrictEqual(yield* server.sessions, [])
      for (const use of [() => connection.callTool("echo"), () => letterhead.connect("api")]) {
        const error = yield* rejection(use)
        assert.instanceOf(error, Errors.ClosedError)
      }
    })
  )

  it.live("one of two holders of a connection leaves it open for the other", () =>
    Effect.gen(function* () {
      const server = yield* LoopbackServer.make({ era: "legacy" })
      const letterhead = yield* clientOf({ url: server.url })
      yield* Effect.promise(async () => {
        const one = await letterhead.connect("api")
        const two = await letterhead.connect("api")
        await one.close()
        await one.close()
        await two.callTool("echo")
      })
      assert.lengthOf(yield* server.sessions, 1)
    })
  )
})

describe("over the layers of a test", () => {
  it("answers from mocks", async () => {
    await using letterhead = new LetterheadClient(
      Letterhead.layerTest({ servers: { api: { tools: { hello: (_args, call) => `hello ${call.sessionId}` } } } })
    )
    const connection = await letterhead.connect("api")
    const result = await connection.callTool("hello", {}, { session: "s-1" })
    assert.deepStrictEqual(result.content, [{ type: "text", text: "hello s-1" }])
    assert.deepStrictEqual(await letterhead.servers(), ["api"])
  })
})
