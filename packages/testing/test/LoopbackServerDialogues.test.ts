import { assert, describe, it } from "@effect/vitest"
import type { Client } from "@modelcontextprotocol/client"
import * as LoopbackServer from "@letterhead/testing/LoopbackServer"
import * as LoopbackSseServer from "@letterhead/testing/LoopbackSseServer"
import * as Effect from "effect/Effect"
import { callTool, connect, connectSse } from "./ClientFixture.ts"

/** A client that answers what a server may ask it. */
const answering = (client: Client): Client => {
  let questions = 0
  client.setRequestHandler("elicitation/create", () => {
    questions += 1
    return { action: "accept" as const, content: { answer: `a${questions}` } }
  })
  client.setRequestHandler("sampling/createMessage", () => ({
    role: "assistant" as const,
    model: "scripted",
    content: { type: "text" as const, text: "sampled" }
  }))
  client.setRequestHandler("roots/list", () => ({ roots: [{ uri: "file:///work" }] }))
  return client
}

const WANTED = { capabilities: { elicitation: {}, sampling: {}, roots: {} } }

const KINDS = [
  { kind: "legacy", open: LoopbackServer.make({ era: "legacy", responses: "sse" }), connect },
  { kind: "modern, JSON", open: LoopbackServer.make({ era: "modern", responses: "json" }), connect },
  { kind: "modern, streams", open: LoopbackServer.make({ era: "modern", responses: "sse" }), connect },
  { kind: "HTTP+SSE", open: LoopbackSseServer.make(), connect: connectSse }
] as const

describe.each(KINDS)("LoopbackServerDialogues, $kind", ({ kind, open, connect: connectTo }) => {
  const opened = Effect.gen(function* () {
    const server = yield* open
    return { server, client: answering(yield* connectTo(server.url, {}, WANTED)) }
  })

  it.live("asks the user as often as it is told, and every round has the mark of its call", () =>
    Effect.gen(function* () {
      const { server, client } = yield* opened
      assert.strictEqual(yield* callTool(client, "elicit", { count: 3, session: "s-1" }), "a1 a2 a3")
      const rounds = (yield* server.requests).filter(({ toolName }) => toolName === "elicit")
      const marks = rounds.map(({ sessionMark }) => sessionMark)
      assert.deepStrictEqual(marks, kind.startsWith("modern") ? ["s-1", "s-1", "s-1", "s-1"] : ["s-1"])
    })
  )

  it.live("asks the client for what its model says and for its roots", () =>
    Effect.gen(function* () {
      const { client } = yield* opened
      assert.include(yield* callTool(client, "sample", { text: "hello" }), "sampled")
      assert.strictEqual(yield* callTool(client, "roots"), "file:///work")
    })
  )

  it.live("reports progress to a caller that wants it, and to no other", () =>
    Effect.gen(function* () {
      const { client } = yield* opened
      const steps: Array<number> = []
      const call = { name: "progress", arguments: { count: 3 } }
      yield* Effect.promise(() => client.callTool(call, { onprogress: ({ progress }) => steps.push(progress) }))
      assert.deepStrictEqual(steps, [1, 2, 3])
      assert.strictEqual(yield* callTool(client, "progress", { count: 3 }), "nobody wants to know")
    })
  )

  it.live("logs", () =>
    Effect.gen(function* () {
      const { client } = yield* opened
      const logged: Array<unknown> = []
      client.setNotificationHandler("notifications/message", ({ params }) => {
        logged.push(params.data)
      })
      const _meta = { "io.modelcontextprotocol/logLevel": "debug" }
      yield* Effect.promise(() => client.callTool({ name: "log", arguments: { text: "hello" }, _meta }))
      assert.deepStrictEqual(logged, ["hello"])
    })
  )
})
