/** Answers that never end, and those without content: what is read of them, and what is said. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { ServerResponse } from "node:http"
import * as Zlib from "node:zlib"
import * as Requests from "./support/Requests.ts"
import { JSON_ANSWER, EVENTS, against } from "./support/Hostile.ts"

/** Writes for ever, as fast as it is taken. */
const pour = (response: ServerResponse, head: Readonly<Record<string, string>>, chunk: string | Buffer): void => {
  response.writeHead(200, head)
  const write = (): void => {
    while (!response.destroyed) if (!response.write(chunk)) return void response.once("drain", write)
  }
  write()
}

describe("an answer without end", () => {
  const LIMIT = 100_000
  const limits = { answer: LIMIT }
  const cases = {
    "one JSON text": (response: ServerResponse) => pour(response, JSON_ANSWER, "x".repeat(10_000)),
    "one event": (response: ServerResponse) => pour(response, EVENTS, "data: x\n".repeat(1_000)),
    "little that is much when it is decompressed": (response: ServerResponse) =>
      response
        .writeHead(200, { ...JSON_ANSWER, "content-encoding": "gzip" })
        .end(Zlib.gzipSync(Buffer.alloc(50_000_000)))
  }

  for (const [what, answer] of Object.entries(cases)) {
    it.live(`is broken off at the limit: ${what}`, () =>
      Effect.gen(function* () {
        const { call, send } = yield* against(answer, { limits })
        const from = call("one")
        const reason = yield* Effect.flip(Effect.flatMap(send("tools/call", { call: from }), Requests.text))
        assert.strictEqual(reason._tag, "ProtocolFailed")
        assert.include(reason.message, String(LIMIT))
        // Were its stream resumed, the same would come again.
        assert.strictEqual(from.failure, reason)
      })
    )
  }

  it.live("of many events is none: each has the limit for itself, wherever the network cuts them", () =>
    Effect.gen(function* () {
      const event = `data: ${"x".repeat(30_000)}\r\n\r\n`
      const { send } = yield* against(
        (response) => {
          response.writeHead(200, EVENTS)
          const all = event.repeat(20)
          for (let start = 0; start < all.length; start += 29_999) response.write(all.slice(start, start + 29_999))
          response.end()
        },
        { limits }
      )
      const response = yield* send("tools/call")
      let size = 0
      yield* Effect.promise(async () => {
        for await (const chunk of response.body ?? []) size += chunk.byteLength
      })
      assert.strictEqual(size, 20 * event.length)
    })
  )
})

describe("an answer without content", () => {
  for (const status of [202, 204]) {
    it.live(`to a request is an error that says so (${status}), to a notification and over HTTP+SSE none`, () =>
      Effect.gen(function* () {
        const answer = (response: ServerResponse) => void response.writeHead(status).end()
        const { send } = yield* against(answer)
        const reason = yield* Effect.flip(send("tools/call"))
        assert.strictEqual(reason._tag, "ProtocolFailed")
        assert.include(reason.message, String(status))
        assert.strictEqual((yield* send("notifications/initialized", { notification: true })).status, status)
        const elsewhere = yield* against(answer, { paths: "origin" })
        assert.strictEqual((yield* elsewhere.send("tools/call")).status, status)
      })
    )
  }
})
