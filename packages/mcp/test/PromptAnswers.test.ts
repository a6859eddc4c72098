/**
 * Streams that answer a call, read on the short way and by the SDK alone: whatever a server puts into one, and in whatever
 * pieces it comes, the same comes of it.
 */
import { type JSONRPCMessage, StreamableHTTPClientTransport, type Transport } from "@modelcontextprotocol/client"
import { afterEach, assert, describe, it, vi } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { type Answer, answered, call, result, ShortWay } from "./support/ShortWay.ts"

const way = new ShortWay("end of a stream")

const event = (message: unknown, fields = "") => `${fields}event: message\ndata: ${JSON.stringify(message)}\n\n`
const progress: JSONRPCMessage = {
  jsonrpc: "2.0",
  method: "notifications/progress",
  params: { progressToken: 7, progress: 1 }
}
const again = { jsonrpc: "2.0", id: 7, result: { content: [{ type: "text", text: "resumed" }] } }

/** What a stream may be made of. */
const BLOCKS = [
  event(result),
  event(result, "id: 2\n"),
  event({ ...result, result: { content: [{ type: "text", text: "x".repeat(200_000) }] } }),
  event(progress),
  event({ jsonrpc: "2.0", id: 1, method: "ping" }),
  event({ jsonrpc: "2.0", id: 7, error: { code: -1, message: "no" } }),
  "id: 1\ndata:\n\n",
  ": still here\n\n",
  "retry: 1\n\n",
  "data: {\n\n",
  "\n",
  "event: other\ndata: 1\n\n",
  "data: cut off"
]

interface Written {
  readonly pieces: ReadonlyArray<string>
  /** Whether the connection breaks where the stream would end. */
  readonly breaks: boolean
}

/** A stream in pieces; what is resumed is answered at once. */
const stream =
  ({ breaks, pieces }: Written): Answer =>
  (request, response) => {
    if (request.method === "GET") return answered(200, event(again, "id: 9\n"), "text/event-stream")(request, response)
    response.writeHead(200, { "content-type": "text/event-stream" })
    response.flushHeaders()
    const write = (index: number): void => {
      const piece = pieces[index]
      if (piece !== undefined) response.write(piece, () => setImmediate(write, index + 1))
      else if (breaks) response.socket?.end()
      else response.end()
    }
    write(0)
  }

describe("a call that is answered with a stream", () => {
  afterEach(() => void vi.restoreAllMocks())

  it("is not handed to the SDK where the stream begins with the result", async () => {
    const sdk = vi.spyOn(StreamableHTTPClientTransport.prototype, "send")
    const given: ReadonlyArray<ReadonlyArray<string>> = [
      [event(result)],
      [event(result), ""],
      [event(result).replaceAll("\n", "\r\n")],
      [event(result).slice(0, 30), event(result).slice(30)],
      [`\uFEFF${event(result)}`],
      [event(result, "id: 1\n")],
      [event(result) + event(progress)],
      [event(result), event(progress), ": still here\n\n"]
    ]
    for (const pieces of given) {
      way.answer = stream({ pieces, breaks: false })
      await way.assertSame(call)
    }
    // Once for the SDK's own way, and for nothing else.
    assert.strictEqual(sdk.mock.calls.length, given.length)
  })

  it("is handed to the SDK where it does not", async () => {
    const sdk = vi.spyOn(StreamableHTTPClientTransport.prototype, "send")
    const given: ReadonlyArray<ReadonlyArray<string>> = [
      [],
      [event(progress), event(result)],
      ["id: 1\ndata:\n\n", event(result, "id: 2\n")],
      [": hello\n\n", event(result)],
      [`retry: 3\n${event(result)}`],
      [event({ jsonrpc: "2.0", id: 7, error: { code: -1, message: "no" } })],
      [event({ jsonrpc: "2.0", id: 8, result: {} }), event(result)],
      ["data: {\n\n", event(result)],
      [`event: other\ndata: ${JSON.stringify(result)}\n\n`, event(result)]
    ]
    for (const pieces of given) {
      way.answer = stream({ pieces, breaks: false })
      await way.assertSame(call)
    }
    assert.strictEqual(sdk.mock.calls.length, 2 * given.length)
  })

  it("is over where the stream breaks after the result, and resumed where it breaks before", async () => {
    way.answer = stream({ pieces: [event(result)], breaks: true })
    const { errors, messages, streamEnds } = await way.assertSame(call)
    assert.deepStrictEqual([messages, errors, streamEnds], [[result], ["broken"], 1])
    way.answer = stream({ pieces: ["id: 1\ndata:\n\n"], breaks: true })
    const resumed = await way.assertSame(call)
    assert.deepStrictEqual([resumed.messages, resumed.events], [[again], ["1", "9"]])
  })

  it.effect.prop(
    "ends in the same whatever stands in the stream, in whatever pieces",
    {
      blocks: Schema.Array(Schema.Literals(BLOCKS)).check(Schema.isMaxLength(4)),
      lineEnd: Schema.Literals(["\n", "\r\n"]),
      cuts: Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 600 }))).check(Schema.isMaxLength(3)),
      breaks: Schema.Boolean
    },
    ({ blocks, breaks, cuts, lineEnd }) => {
      const text = blocks.join("").replaceAll("\n", lineEnd)
      const ends = [0, ...cuts.toSorted((a, b) => a - b), text.length]
      way.answer = stream({ pieces: ends.slice(1).map((end, index) => text.slice(ends[index], end)), breaks })
      return Effect.promise(() => way.assertSame(call))
    }
  )

  it("is read to its end whatever the reader of a message does", async () => {
    way.answer = stream({ pieces: [event(result), event(progress)], breaks: false })
    const transport = way.make()
    const seen: Array<unknown> = []
    const handlers: Pick<Transport, "onmessage" | "onerror"> = {
      onmessage: () => {
        throw new Error("not taken")
      },
      onerror: (error) => void seen.push(error.message)
    }
    Object.assign(transport, handlers)
    await transport.start()
    await new Promise<void>((resolve) => {
      void transport.send(call, { onRequestStreamEnd: resolve })
    })
    await transport.close()
    assert.deepStrictEqual(seen, ["not taken", "not taken"])
  })

  it("is handed on with all its bytes where it ends with the transport", async () => {
    way.answer = (_request, response) => response.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders()
    const transport = way.make()
    const errors: Array<Error> = []
    Object.assign(transport, { onerror: (error: Error) => void errors.push(error) })
    await transport.start()
    const sent = transport.send(call)
    await new Promise((resolve) => setTimeout(resolve, 50))
    await transport.close()
    await sent
    assert.deepStrictEqual(errors, [])
  })
})
