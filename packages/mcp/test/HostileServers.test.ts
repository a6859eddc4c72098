/** Servers that break off, say too much, or say nothing: what one request puts up with; faults F57 to F60. */
import { assert, describe, it } from "@effect/vitest"
import { HEADER_SIZE_LIMIT } from "@letterhead/mcp/http/HttpDispatcher"
import * as LoopbackListener from "@letterhead/testing/LoopbackListener"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { getEventListeners } from "node:events"
import type { ServerResponse } from "node:http"
import * as Net from "node:net"
import { inspect } from "node:util"
import * as Harness from "./support/Harness.ts"
import * as Requests from "./support/Requests.ts"
import { resolvedOf } from "./support/Resolver.ts"
import { JSON_ANSWER, EVENTS, against } from "./support/Hostile.ts"

/** An event stream that says nothing for so long, then one thing. */
const doneAfter = (milliseconds: number) => (response: ServerResponse) => {
  response.writeHead(200, EVENTS).flushHeaders()
  setTimeout(() => response.end("data: done\n\n"), milliseconds).unref()
}

/** A server of bare bytes. */
const bytes = (onConnection: (socket: Net.Socket) => void) =>
  Effect.gen(function* () {
    const server = Net.createServer((socket) => {
      socket.on("error", () => undefined)
      onConnection(socket)
    })
    return `http://127.0.0.1:${yield* LoopbackListener.bind(server)}/mcp`
  })

describe("a connection that breaks", () => {
  const LENGTH = { ...JSON_ANSWER, "content-length": "100" }
  const breaks = [
    ["before headers", () => undefined],
    ["after headers", (response: ServerResponse) => response.writeHead(200, LENGTH).flushHeaders()],
    ["mid-body", (response: ServerResponse) => void response.writeHead(200, LENGTH).write('{"jsonrpc":')]
  ] as const
  const ways = [
    ["closed", (socket: Net.Socket | null) => socket?.destroy()],
    ["reset", (socket: Net.Socket | null) => socket?.resetAndDestroy()]
  ] as const
  const cases = breaks.flatMap(([when, begin]) =>
    ways.map(([how, finish]) => {
      const end = (response: ServerResponse): void => {
        begin(response)
        setTimeout(() => finish(response.socket), 10)
      }
      return [`${how} ${when}`, end] as const
    })
  )

  for (const [when, end] of cases) {
    it.live(`F57: ${when}: the call fails, was sent once, and no header source is asked again`, () =>
      Effect.gen(function* () {
        const { asked, seen, send } = yield* against(end)
        const reason = yield* Effect.flip(Effect.flatMap(send("tools/call"), Requests.text))
        assert.include(["Unreachable", "ConnectionClosed"], reason._tag)
        assert.strictEqual(seen.length, 1)
        assert.deepStrictEqual(asked, { resolve: 1, challenge: 0 })
      })
    )

    it.live(`F57: ${when}: what may be sent again is, until it is answered or was sent three times`, () =>
      Effect.gen(function* () {
        const lucky = yield* against((response, count) =>
          count < 3 ? end(response) : response.writeHead(200, JSON_ANSWER).end("{}")
        )
        assert.strictEqual(yield* Effect.flatMap(lucky.send("tools/list"), Requests.text), "{}")
        const allowed = lucky.call("one", { idempotent: true })
        assert.strictEqual(yield* Effect.flatMap(lucky.send("tools/call", { call: allowed }), Requests.text), "{}")
        assert.strictEqual(lucky.asked.challenge, 0)

        const unlucky = yield* against(end)
        const reason = yield* Effect.flip(Effect.flatMap(unlucky.send("tools/list"), Requests.text))
        assert.include(["Unreachable", "ConnectionClosed"], reason._tag)
        assert.strictEqual(unlucky.seen.length, 3)
      })
    )
  }

  it.live("F57: a reset of a connection that was used before, without a byte: the call was sent once", () =>
    Effect.gen(function* () {
      const sockets: Array<Net.Socket> = []
      const { seen, send } = yield* against((response, count) => {
        if (response.socket !== null) sockets.push(response.socket)
        if (count === 2) response.socket?.resetAndDestroy()
        else response.writeHead(200, JSON_ANSWER).end("{}")
      })
      yield* Effect.flatMap(send("tools/call"), Requests.text)
      // Until the connection is free again.
      yield* Effect.sleep(50)
      const reason = yield* Effect.flip(send("tools/call"))
      assert.strictEqual(reason._tag, "Unreachable")
      // A repetition would come now.
      yield* Effect.sleep(200)
      assert.strictEqual(seen.length, 2)
      assert.isTrue(sockets[0] === sockets[1])
    })
  )

  it.live("F57: a 5xx is the caller's, and asks nobody for another credential", () =>
    Effect.gen(function* () {
      const { asked, seen, send } = yield* against((response) => response.writeHead(500).end("broken"))
      const reason = yield* Effect.flip(send("tools/call"))
      assert.deepInclude(reason, { _tag: "HttpFailed", status: 500, description: "broken" })
      assert.strictEqual(seen.length, 1)
      assert.deepStrictEqual(asked, { resolve: 1, challenge: 0 })
    })
  )
})

describe("the end of a call", () => {
  for (const [when, answer] of [
    ["before the answer", () => undefined],
    ["in its headers", (response: ServerResponse) => response.socket?.write("HTTP/1.1 200 OK\r\nx-slow: ")],
    ["in its body", (response: ServerResponse) => response.writeHead(200, JSON_ANSWER).write("{")]
  ] as const) {
    it.live(`F58: ends its request ${when}, and closes the socket`, () =>
      Effect.gen(function* () {
        let closed = 0
        const { call, seen, send } = yield* against((response) => {
          response.socket?.once("close", () => (closed += 1))
          answer(response)
        })
        for (const end of ["the SDK's signal", "the call"] as const) {
          const controller = new AbortController()
          const from = call("one")
          const fiber = yield* Effect.forkChild(
            Effect.exit(
              Effect.flatMap(Effect.orDie(send("tools/call", { call: from, signal: controller.signal })), (response) =>
                Effect.tryPromise(() => response.text())
              )
            )
          )
          yield* Harness.until(Effect.sync(() => seen.length > 0))
          yield* Effect.sleep(30)
          if (end === "the call") from.abort()
          else controller.abort()
          assert.strictEqual((yield* Fiber.join(fiber))._tag, "Failure")
          yield* Harness.until(Effect.sync(() => closed === 1))
          seen.length = 0
          closed = 0
        }
      })
    )
  }

  it.live("leaves no listener behind", () =>
    Effect.gen(function* () {
      const { call, send } = yield* against((response) => response.writeHead(200, JSON_ANSWER).end("{}"))
      const from = call("one")
      const controller = new AbortController()
      yield* Effect.flatMap(send("tools/call", { call: from, signal: controller.signal }), Requests.text)
      for (const signal of [from.signal, controller.signal]) {
        assert.deepStrictEqual(getEventListeners(signal, "abort"), [])
      }
    })
  )
})

describe("a stream without a byte and without an end", () => {
  for (const [which, options] of [
    ["the connection's own", { http: "GET" }],
    ["one that is resumed", { http: "GET", lastEventId: "e-1" }],
    ["a subscription", {}]
  ] as const) {
    it.live(`F59: is taken for dead after the limit: ${which}`, () =>
      Effect.gen(function* () {
        let closed = false
        const { send } = yield* against(
          (response) => {
            response.socket?.once("close", () => (closed = true))
            response.writeHead(200, EVENTS).write("id: 1\n\n")
          },
          { limits: { silence: 100 } }
        )
        const reason = yield* Effect.flip(Effect.flatMap(send("subscriptions/listen", options), Requests.text))
        assert.strictEqual(reason._tag, "ConnectionClosed")
        assert.include(reason.message, "silent")
        yield* Harness.until(Effect.sync(() => closed))
      })
    )
  }

  it.live("F59: before its headers too; and one that speaks now and then is left alone", () =>
    Effect.gen(function* () {
      const mute = yield* against(() => undefined, { limits: { silence: 100 } })
      assert.strictEqual((yield* Effect.flip(mute.send("", { http: "GET" })))._tag, "ConnectionClosed")
      const alive = yield* against(
        (response) => {
          response.writeHead(200, EVENTS).flushHeaders()
          let events = 0
          const timer = setInterval(() => {
            response.write(": alive\n\n")
            if (++events < 10) return
            clearInterval(timer)
            response.end()
          }, 100)
        },
        { limits: { silence: 600 } }
      )
      const text = yield* Effect.flatMap(alive.send("", { http: "GET" }), Requests.text)
      assert.strictEqual(text.length, 10 * ": alive\n\n".length)
    })
  )

  it.live("F59: over HTTP+SSE it is given twice the time while a call waits for its answer, and no more", () =>
    Effect.gen(function* () {
      const options = { limits: { silence: 400 }, paths: "origin" } as const
      const slow = yield* against(doneAfter(600), options)
      slow.correlation.open(99, slow.call("one"))
      assert.strictEqual(yield* Effect.flatMap(slow.send("", { http: "GET" }), Requests.text), "data: done\n\n")
      const dead = yield* against(doneAfter(60_000), options)
      dead.correlation.open(99, dead.call("one"))
      const reason = yield* Effect.flip(Effect.flatMap(dead.send("", { http: "GET" }), Requests.text))
      assert.include(reason.message, "silent")
    })
  )

  it.live("F59: the stream of a call is silent as long as the call may take", () =>
    Effect.gen(function* () {
      const { send } = yield* against(
        (response) => {
          response.writeHead(200, EVENTS).flushHeaders()
          setTimeout(() => response.end("data: done\n\n"), 400)
        },
        { limits: { silence: 100 } }
      )
      assert.strictEqual(yield* Effect.flatMap(send("tools/call"), Requests.text), "data: done\n\n")
    })
  )
})

describe("headers", () => {
  it.live("F60: of 20 KB in an answer are an error that says how many are allowed, and quotes none", () =>
    Effect.gen(function* () {
      const { send } = yield* against((response) => {
        response.writeHead(200, { ...JSON_ANSWER, "x-large": "canary".repeat(3_500) }).end("{}")
      })
      const reason = yield* Effect.flip(send("tools/call"))
      assert.strictEqual(reason._tag, "Unreachable")
      assert.include(reason.message, String(HEADER_SIZE_LIMIT))
      assert.notInclude(inspect(reason, { depth: 10 }), "canary")
    })
  )

  it.live("F60: that come a byte at a time, or never end, end with the call", () =>
    Effect.gen(function* () {
      let closed = false
      const url = yield* bytes((socket) => {
        socket.write("HTTP/1.1 200 OK\r\nx-slow: ")
        const timer = setInterval(() => socket.write("x"), 5)
        socket.once("close", () => {
          clearInterval(timer)
          closed = true
        })
      })
      const { call, send } = yield* Requests.make({ url })
      const from = call("one")
      const fiber = yield* Effect.forkChild(Effect.exit(Effect.orDie(send("tools/call", { call: from }))))
      yield* Effect.sleep(100)
      from.abort()
      assert.strictEqual((yield* Fiber.join(fiber))._tag, "Failure")
      yield* Harness.until(Effect.sync(() => closed))
    })
  )

  it.live("F60: that the server finds too large (431) are named with their sizes, largest first, and no value", () =>
    Effect.gen(function* () {
      const { seen, send } = yield* against((response) => response.writeHead(431).end(), {
        headers: {
          resolve: () =>
            Effect.succeed(
              resolvedOf({
                "x-small": "canary",
                "x-large": "canary".repeat(1_000),
                authorization: "Bearer canary-token"
              })
            )
        }
      })
      const reason = yield* Effect.flip(send("tools/list"))
      assert.deepInclude(reason, { _tag: "HttpFailed", status: 431 })
      assert.include(reason.message, "6052 bytes of headers: x-large 6000, authorization 19, x-small 6")
      assert.notInclude(inspect(reason, { depth: 10 }), "canary")
      assert.strictEqual(seen.length, 1)
    })
  )

  it.live("F60: an answer that is no HTTP is an error without its bytes", () =>
    Effect.gen(function* () {
      const url = yield* bytes((socket) => void socket.once("data", () => socket.end("220 canary ready\r\n")))
      const { send } = yield* Requests.make({ url })
      const reason = yield* Effect.flip(send("tools/call"))
      assert.strictEqual(reason._tag, "Unreachable")
      assert.include(reason.message, "no HTTP")
      assert.notInclude(inspect(reason, { depth: 10 }), "canary")
    })
  )
})
