/** What is captured of a request, from a real server and from the shapes that requests come in. */
import { assert, describe, it } from "@effect/vitest"
import { fromRequest } from "@letterhead/core/call/CallContext"
import { capture, type IncomingHeaders, named } from "@letterhead/core/call/IncomingHeaders"
import * as LoopbackListener from "@letterhead/testing/LoopbackListener"
import * as Effect from "effect/Effect"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { connect } from "node:net"
import { inspect } from "node:util"

const RUNS = { arbitrary: { runs: 2_000 } } as const
const NAMES = ["x-key", "X-Key", "X_KEY", "x_key", "x-key-", "authorization", "Authorization", "cookie"] as const

const plain = (headers: IncomingHeaders) => headers.map(({ name, value }) => `${name}: ${Redacted.value(value)}`)

/** An independent statement of how names compare. */
const same = (a: string, b: string) => a.toLowerCase().split("_").join("-") === b.toLowerCase().split("_").join("-")

/** Sends header lines as they are over a socket, and gives what a Node server captures of them. */
const received = Effect.fnUntraced(function* (allowlist: ReadonlyArray<string>, lines: ReadonlyArray<string>) {
  let captured: IncomingHeaders | undefined
  const origin = yield* LoopbackListener.listen((request, response) => {
    captured = fromRequest(allowlist)(request).incoming
    response.end()
  })
  yield* Effect.callback<void>((resume) => {
    const socket = connect(Number(new URL(origin).port), "127.0.0.1")
    socket.on("close", () => resume(Effect.void))
    socket.on("data", () => socket.destroy())
    socket.write(["GET / HTTP/1.1", "host: localhost", ...lines, "", ""].join("\r\n"))
  })
  return captured ?? []
})

describe("capture", () => {
  it.live("F49: of a request over a socket, listed names only, in any case and with _ for -", () =>
    Effect.gen(function* () {
      const lines = ["X_MCP_API_KEY: key", "X-Mcp-Auth: auth", "X-Unlisted: no", "Authorization: Bearer no"]
      assert.deepStrictEqual(plain(yield* received(["x-mcp-api-key", "x_mcp_auth"], lines)), [
        "X_MCP_API_KEY: key",
        "X-Mcp-Auth: auth"
      ])
      assert.deepStrictEqual(yield* received([], lines), [])
    })
  )

  it.live("F49: a field that came twice is there twice, where Node itself keeps the first or joins them", () =>
    Effect.gen(function* () {
      const lines = ["Authorization: Bearer one", "authorization: Bearer two", "x-key: a", "X_Key: b", "x-key: c"]
      const captured = yield* received(["authorization", "x-key"], lines)
      assert.deepStrictEqual(plain(named(captured, "AUTHORIZATION")), [
        "Authorization: Bearer one",
        "authorization: Bearer two"
      ])
      assert.deepStrictEqual(plain(named(captured, "x_key")), ["x-key: a", "X_Key: b", "x-key: c"])
    })
  )

  it.prop(
    "F49: exactly the listed fields are captured, as they came and as often",
    {
      listed: Schema.Array(Schema.Literals(NAMES)),
      fields: Schema.Array(Schema.Struct({ name: Schema.Literals(NAMES), value: Schema.Literals(["a", "b", "a, b"]) }))
    },
    ({ fields, listed }) => {
      const expected = fields
        .filter(({ name }) => listed.some((other) => same(name, other)))
        .map(({ name, value }) => `${name}: ${value}`)
      const raw = { rawHeaders: fields.flatMap(({ name, value }) => [name, value]) }
      assert.deepStrictEqual(plain(capture(listed, raw)), expected)
    },
    RUNS
  )

  it("F49: a Web request joins repeated fields, so a value with a comma and a blank counts as repeated", () => {
    const headers = new Headers([
      ["x-key", "one"],
      ["X-Key", "two"],
      ["x-list", "a,b"]
    ])
    for (const request of [
      new Request("http://localhost/", { headers }),
      HttpServerRequest.fromWeb(new Request("http://localhost/", { headers })),
      HttpServerRequest.fromClientRequest(HttpClientRequest.get("http://localhost/", { headers: [...headers] }))
    ]) {
      const captured = capture(["x-key", "x-list"], request)
      assert.deepStrictEqual(plain(captured), ["x-key: one", "x-key: two", "x-list: a,b"])
    }
  })

  it("F50: what was captured shows no value", () => {
    const captured = capture(["x-key"], { rawHeaders: ["x-key", "canary-secret"] })
    assert.notInclude(JSON.stringify(captured) + inspect(captured, { depth: 10 }), "canary")
  })
})
