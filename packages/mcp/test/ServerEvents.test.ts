/** What a server says unasked: progress of a call, changes of lists, logs. */
import { assert, describe, it } from "@effect/vitest"
import { ClientFeatures } from "@letterhead/mcp/ClientFeatures"
import type { McpConnection } from "@letterhead/mcp/McpConnection"
import { HELD, type ServerEvent } from "@letterhead/mcp/ServerEvents"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Harness from "./support/Harness.ts"
import { ownerMark } from "./support/Resolver.ts"

const eras = ["legacy", "modern"] as const

/** The events of a connection from now on, in a list that grows. */
const collect = Effect.fnUntraced(function* (connection: McpConnection) {
  const heard: Array<ServerEvent> = []
  const listen = Stream.runForEach(connection.events, (event) => Effect.sync(() => void heard.push(event)))
  yield* Effect.forkScoped(listen, { startImmediately: true })
  return heard
})

const isListen = ({ rpcMethod }: { readonly rpcMethod?: string | undefined }) => rpcMethod === "subscriptions/listen"

/** Until the server knows that somebody listens. */
const listening = ({ server }: Harness.Harness, connection: McpConnection, times = 1) =>
  connection.era === "legacy"
    ? Effect.void
    : Harness.until(
        Effect.map(
          server.requests,
          (requests) => requests.filter((one) => isListen(one) && one.status === 200).length >= times
        )
      )

describe("progress", () => {
  for (const era of eras) {
    it.live(`reaches the call that it is of, and no other (${era})`, () =>
      Effect.gen(function* () {
        const harness = yield* Harness.make({ era, responses: "sse" })
        const connection = yield* harness.connect
        yield* Effect.forEach(
          Array.from({ length: 10 }, (_, index) => index + 1),
          (count) =>
            Effect.gen(function* () {
              const steps: Array<number> = []
              yield* connection
                .callTool("progress", { count }, { onProgress: ({ progress }) => void steps.push(progress) })
                .pipe(Harness.asSession(`session-${count}`))
              assert.deepStrictEqual(
                steps,
                Array.from({ length: count }, (_, index) => index + 1)
              )
            }),
          { concurrency: "unbounded" }
        )
      })
    )
  }
})

describe("changes of lists", () => {
  for (const era of eras) {
    it.live(`reach all who listen (${era})`, () =>
      Effect.gen(function* () {
        const harness = yield* Harness.make({ era })
        const connection = yield* harness.connect
        const [first, second] = [yield* collect(connection), yield* collect(connection)]
        yield* listening(harness, connection)
        for (const list of ["tools", "prompts", "resources"] as const) yield* harness.server.notifyChanged(list)
        for (const heard of [first, second]) {
          yield* Harness.until(Effect.sync(() => heard.length >= 3))
          assert.sameDeepMembers(heard, [
            { _tag: "ListChanged", list: "tools" },
            { _tag: "ListChanged", list: "prompts" },
            { _tag: "ListChanged", list: "resources" }
          ])
        }
        assert.strictEqual((yield* harness.server.requests).filter(isListen).length, era === "modern" ? 1 : 0)
      })
    )
  }

  it.live("are asked for with the headers of the owner while somebody listens, and no longer (modern)", () =>
    Effect.gen(function* () {
      const harness = yield* Harness.make({ era: "modern" })
      const connection = yield* harness.connect
      const scope = yield* Scope.make()
      yield* Scope.provide(collect(connection), scope)
      yield* listening(harness, connection)
      const listens = (yield* harness.server.requests).filter(isListen)
      assert.deepStrictEqual(
        listens.map(({ headers }) => headers.get("x-session")),
        [ownerMark("ada")]
      )
      yield* Scope.close(scope, Exit.void)
      yield* Harness.until(Effect.map(harness.server.breakOpen("close", isListen), (count) => count === 0))
    })
  )

  it.live("that were missed while the stream was broken are told of as such (modern)", () =>
    Effect.gen(function* () {
      const harness = yield* Harness.make({ era: "modern" })
      const connection = yield* harness.connect
      const heard = yield* collect(connection)
      yield* listening(harness, connection)
      yield* harness.server.breakOpen("close", isListen)
      yield* Harness.until(Effect.sync(() => heard.some(({ _tag }) => _tag === "Renewed")))
      yield* harness.server.notifyChanged("tools")
      yield* Harness.until(Effect.sync(() => heard.some(({ _tag }) => _tag === "ListChanged")))
    })
  )

  it.live("that were missed while the session was forgotten are told of as such (legacy)", () =>
    Effect.gen(function* () {
      const harness = yield* Harness.make({ era: "legacy" })
      const connection = yield* harness.connect
      const heard = yield* collect(connection)
      yield* harness.server.endSessions
      yield* Harness.until(Effect.sync(() => heard.some(({ _tag }) => _tag === "Renewed")))
      // The stream of the new session opens beside it.
      yield* Harness.until(
        Effect.map(
          harness.server.requests,
          (requests) => requests.filter((one) => one.httpMethod === "GET" && one.status === 200).length === 2
        )
      )
      yield* harness.server.notifyChanged("tools")
      yield* Harness.until(Effect.sync(() => heard.some(({ _tag }) => _tag === "ListChanged")))
    })
  )
})

/** The last of a few more than are held. */
const isLast = (event: ServerEvent | undefined): boolean =>
  event?._tag === "LogMessage" && event.data === `message ${HELD + 49}`

describe("a listener", () => {
  it.live("that takes nothing holds the newest 256, and hears the end of the connection", () =>
    Effect.gen(function* () {
      const harness = yield* Harness.make({ era: "legacy" })
      const scope = yield* Scope.make()
      const connection = yield* Scope.provide(harness.connect, scope)
      const heard: Array<ServerEvent> = []
      const gate = yield* Deferred.make<void>()
      const listen = Stream.runForEach(connection.events, (event) =>
        Effect.andThen(
          Deferred.await(gate),
          Effect.sync(() => void heard.push(event))
        )
      )
      const fiber = yield* Effect.forkChild(listen, { startImmediately: true })
      const others = yield* Scope.provide(collect(connection), scope)
      for (let index = 0; index < HELD + 50; index += 1) yield* harness.server.log(`message ${index}`)
      yield* Harness.until(Effect.sync(() => isLast(others.at(-1))))
      yield* Deferred.succeed(gate, undefined)
      yield* Harness.until(Effect.sync(() => isLast(heard.at(-1))))
      assert.isAtLeast(heard.length, HELD)
      assert.isBelow(heard.length, HELD + 50)
      yield* Scope.close(scope, Exit.void)
      yield* Fiber.join(fiber)
    })
  )
})

describe("logs", () => {
  for (const era of eras) {
    it.live(`of a call are events where the layer asks for them (${era})`, () =>
      Effect.gen(function* () {
        const harness = yield* Harness.make({ era, responses: "sse" }).pipe(
          Effect.provideService(ClientFeatures, { logLevel: "info" })
        )
        const connection = yield* harness.connect
        const heard = yield* collect(connection)
        yield* connection.callTool("log", { text: "something" }).pipe(Harness.asSession("one"))
        yield* Harness.until(Effect.sync(() => heard.length > 0))
        assert.deepStrictEqual(heard, [{ _tag: "LogMessage", level: "info", logger: undefined, data: "something" }])
      })
    )
  }

  it.live("of a modern server are not asked for otherwise", () =>
    Effect.gen(function* () {
      const harness = yield* Harness.make({ era: "modern", responses: "sse" })
      const connection = yield* harness.connect
      yield* connection.callTool("log", { text: "something" }).pipe(Harness.asSession("one"))
      assert.isFalse((yield* harness.server.requests).some(({ body }) => body.includes("logLevel")))
    })
  )

  it.live("are asked for again in a new session (legacy)", () =>
    Effect.gen(function* () {
      const harness = yield* Harness.make({ era: "legacy" }).pipe(
        Effect.provideService(ClientFeatures, { logLevel: "warning" })
      )
      const connection = yield* harness.connect
      yield* harness.server.endSessions
      yield* connection.callTool("echo", {}).pipe(Harness.asSession("one"))
      yield* Harness.until(
        Effect.map(
          harness.server.requests,
          (requests) => requests.filter(({ rpcMethod }) => rpcMethod === "logging/setLevel").length === 2
        )
      )
    })
  )
})

describe("a resource that was subscribed to", () => {
  for (const era of eras) {
    it.live(`is told of when it changes, while anybody is subscribed (${era})`, () =>
      Effect.gen(function* () {
        const harness = yield* Harness.make({ era })
        const connection = yield* harness.connect
        const heard = yield* collect(connection)
        const [first, second] = [yield* Scope.make(), yield* Scope.make()]
        for (const scope of [first, second]) yield* Scope.provide(connection.subscribeResource(NOTE), scope)
        yield* harness.server.notifyUpdated(NOTE)
        yield* Harness.until(Effect.sync(() => heard.length === 1))
        assert.deepStrictEqual(heard, [{ _tag: "ResourceUpdated", uri: NOTE }])
        yield* Scope.close(first, Exit.void)
        yield* harness.server.notifyUpdated(NOTE)
        yield* Harness.until(Effect.sync(() => heard.length === 2))
        yield* Scope.close(second, Exit.void)
        if (era === "legacy") assert.strictEqual((yield* harness.server.requests).filter(isEnd).length, 1)
        const ofOwner = (yield* harness.server.requests).filter(({ body }) => body.includes(NOTE))
        assert.isTrue(ofOwner.every(({ headers }) => headers.get("x-session") === ownerMark("ada")))
      })
    )
  }

  it.live("is subscribed to again in a new session (legacy)", () =>
    Effect.gen(function* () {
      const harness = yield* Harness.make({ era: "legacy" })
      const connection = yield* harness.connect
      const heard = yield* collect(connection)
      yield* connection.subscribeResource(NOTE)
      yield* harness.server.endSessions
      yield* connection.callTool("echo", {}).pipe(Harness.asSession("one"))
      yield* Harness.until(
        Effect.map(
          harness.server.requests,
          (requests) =>
            requests.filter((one) => one.rpcMethod === "resources/subscribe" && one.status === 200).length === 2 &&
            requests.filter((one) => one.httpMethod === "GET" && one.status === 200).length === 2
        )
      )
      yield* harness.server.notifyUpdated(NOTE)
      yield* Harness.until(Effect.sync(() => heard.some(({ _tag }) => _tag === "ResourceUpdated")))
    })
  )

  it.live("of a server that refuses is a typed error, and can be tried again", () =>
    Effect.gen(function* () {
      const harness = yield* Harness.make({ era: "legacy" })
      const connection = yield* harness.connect
      yield* harness.server.respondNext({ status: 400, when: ({ rpcMethod }) => rpcMethod === "resources/subscribe" })
      assert.deepInclude(yield* Harness.reasonOf(connection.subscribeResource(NOTE)), {
        _tag: "HttpFailed",
        status: 400
      })
      yield* connection.subscribeResource(NOTE)
    })
  )
})

const NOTE = "loopback://note"

const isEnd = ({ rpcMethod }: { readonly rpcMethod?: string | undefined }) => rpcMethod === "resources/unsubscribe"
