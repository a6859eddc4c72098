/** What a server asks of its client in the middle of a call, and who answers. */
import { assert, describe, it } from "@effect/vitest"
import { CurrentCall } from "@letterhead/core/call/CallContext"
import { ClientFeatures, FeatureRefused } from "@letterhead/mcp/ClientFeatures"
import type { McpConnection } from "@letterhead/mcp/McpConnection"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { features } from "./readme/features.ts"
import * as Harness from "./support/Harness.ts"

/** In the legacy era a server needs a stream to ask on. */
const cases = [
  { era: "legacy", responses: "sse" },
  { era: "modern", responses: "json" },
  { era: "modern", responses: "sse" }
] as const

const accept = (answer: string) => Effect.succeed({ action: "accept" as const, content: { answer } })

/** Answers with the session of the call, or as the connection. */
const whoAnswers: ClientFeatures = {
  elicitation: () =>
    Effect.flatMap(CurrentCall, ({ method, sessionId }) => accept(`${method ?? "connection"}:${sessionId ?? ""}`)),
  sampling: ({ messages }) =>
    Effect.succeed({
      model: "scripted",
      role: "assistant" as const,
      content: { type: "text" as const, text: `heard ${JSON.stringify(messages[0]?.content)}` }
    }),
  roots: Effect.succeed([{ uri: "file:///work" }, { uri: "file:///notes" }])
}

const textOf = (connection: McpConnection, tool: string, args: Readonly<Record<string, unknown>>, session = "one") =>
  connection.callTool(tool, { ...args, session }).pipe(
    Harness.asSession(session),
    Effect.map(({ content: [first] }) => (first?.type === "text" ? first.text : ""))
  )

const offering = (features: ClientFeatures) => Effect.provideService(ClientFeatures, features)

describe("what a server asks", () => {
  for (const { era, responses } of cases) {
    it.live(`reaches the handlers of the layer (${era}, ${responses})`, () =>
      Effect.gen(function* () {
        const harness = yield* Harness.make({ era, responses }).pipe(offering(whoAnswers))
        const connection = yield* harness.connect
        assert.include(yield* textOf(connection, "sample", { text: "how are you" }), "heard")
        assert.include(yield* textOf(connection, "sample", { text: "how are you" }), "how are you")
        assert.strictEqual(yield* textOf(connection, "roots", {}), "file:///work file:///notes")
        // Two questions, one after the other.
        assert.strictEqual(
          yield* textOf(connection, "elicit", { count: 2 }),
          era === "modern" ? "tools/call:one tools/call:one" : "connection: connection:"
        )
        assert.deepStrictEqual(Harness.crossed(yield* harness.server.requests), [])
      })
    )

    it.live(`that nothing is offered for is not announced, and the call says so (${era}, ${responses})`, () =>
      Effect.gen(function* () {
        const harness = yield* Harness.make({ era, responses })
        const connection = yield* harness.connect
        const outcome = yield* Effect.result(connection.callTool("roots", {}).pipe(Harness.asSession("one")))
        if (outcome._tag === "Failure") assert.strictEqual(outcome.failure.reason._tag, "ProtocolFailed")
        else assert.isTrue(outcome.success.isError)
        const announced = (yield* harness.server.requests).filter(({ body }) =>
          /"(roots|sampling|elicitation)":/.test(body)
        )
        assert.deepStrictEqual(announced, [])
      })
    )

    it.live(`is refused with the runtime's reason (${era}, ${responses})`, () =>
      Effect.gen(function* () {
        const refused = Effect.fail(new FeatureRefused({ description: "not today" }))
        const harness = yield* Harness.make({ era, responses }).pipe(offering({ roots: refused }))
        const connection = yield* harness.connect
        const outcome = yield* Effect.result(connection.callTool("roots", {}).pipe(Harness.asSession("one")))
        if (outcome._tag === "Failure") {
          assert.deepInclude(outcome.failure.reason, { _tag: "ProtocolFailed", code: -1 })
          assert.include(outcome.failure.message, "not today")
        } else {
          assert.isTrue(outcome.success.isError)
          assert.include(JSON.stringify(outcome.success.content), "not today")
        }
      })
    )
  }

  for (const responses of ["json", "sse"] as const) {
    it.live(
      `belongs to its call in the modern era: 100 calls of 20 sessions each have their own handler (${responses})`,
      () =>
        Effect.gen(function* () {
          const harness = yield* Harness.make({ era: "modern", responses }).pipe(offering(whoAnswers))
          const connection = yield* harness.connect
          const answers = yield* Effect.forEach(
            Array.from({ length: 100 }, (_, index) => ({ session: `session-${index % 20}`, index })),
            ({ session, index }) =>
              textOf(connection, "elicit", { session }, session).pipe(
                offering({
                  elicitation: () => Effect.flatMap(CurrentCall, ({ sessionId }) => accept(`${sessionId} ${index}`))
                }),
                Effect.map((text) => ({ text, session, index }))
              ),
            { concurrency: "unbounded" }
          )
          for (const { text, session, index } of answers) assert.strictEqual(text, `${session} ${index}`)
          assert.deepStrictEqual(Harness.crossed(yield* harness.server.requests), [])
          yield* Harness.until(Effect.sync(() => harness.correlations.every(({ size }) => size === 0)))
        })
    )

    it.live(`of a kind that the call has no handler for reaches the layer's (${responses})`, () =>
      Effect.gen(function* () {
        const harness = yield* Harness.make({ era: "modern", responses }).pipe(offering(whoAnswers))
        const connection = yield* harness.connect
        const text = yield* textOf(connection, "roots", {}).pipe(offering({ elicitation: () => accept("mine") }))
        assert.strictEqual(text, "file:///work file:///notes")
      })
    )
  }

  it.live("is given up with its call", () =>
    Effect.gen(function* () {
      const asked = yield* Deferred.make<void>()
      const given = yield* Deferred.make<void>()
      const roots = Deferred.succeed(asked, undefined).pipe(
        Effect.andThen(Effect.never),
        Effect.onInterrupt(() => Deferred.succeed(given, undefined))
      )
      const harness = yield* Harness.make({ era: "modern" }).pipe(offering({ roots }))
      const connection = yield* harness.connect
      const fiber = yield* Effect.forkChild(connection.callTool("roots", {}).pipe(Harness.asSession("one")))
      yield* Deferred.await(asked)
      yield* Fiber.interrupt(fiber)
      yield* Deferred.await(given)
    })
  )

  it.live("by a handler that breaks off is an error that says no more than that", () =>
    Effect.gen(function* () {
      const harness = yield* Harness.make({ era: "modern" }).pipe(offering({ roots: Effect.die("canary") }))
      const connection = yield* harness.connect
      const reason = yield* Harness.reasonOf(connection.callTool("roots", {}).pipe(Harness.asSession("one")))
      assert.strictEqual(reason._tag, "ProtocolFailed")
      assert.notInclude(reason.message, "canary")
    })
  )

  it.live("is answered as the README shows it", () =>
    Effect.gen(function* () {
      const readme = readFileSync(join(import.meta.dirname, "../README.md"), "utf8")
      const example = readFileSync(join(import.meta.dirname, "readme/features.ts"), "utf8")
      assert.include(readme, `\`\`\`ts\n${example}\`\`\`\n`)
      const context = yield* Layer.build(features)
      const harness = yield* Harness.make({ era: "modern" }).pipe(Effect.provideContext(context))
      const connection = yield* harness.connect
      assert.strictEqual(yield* textOf(connection, "elicit", {}), "one was asked: question 1")
      assert.strictEqual(yield* textOf(connection, "roots", {}), "file:///work")
    })
  )
})
