/** From a request that a runtime serves to the requests it makes: what came with each goes on with each. */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { assert, describe, it } from "@effect/vitest"
import * as CallMiddleware from "@letterhead/core/call/CallMiddleware"
import { CurrentCall } from "@letterhead/core/call/CallContext"
import { CallHooks } from "@letterhead/core/sources/CallHooks"
import * as McpTransport from "@letterhead/mcp/McpTransport"
import { entry } from "@letterhead/testing/EntryFixture"
import * as LoopbackServer from "@letterhead/testing/LoopbackServer"
import * as Effect from "effect/Effect"
import * as HttpServer from "effect/http/HttpServer"
import { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Letterhead from "letterhead/Letterhead"
import { createServer } from "node:http"

/** Requests to the runtime, of so many users. */
const REQUESTS = 200
const USERS = 4

/** A runtime that calls a tool for each request it gets, as the user who sent it. */
const runtime = Effect.fnUntraced(function* (url: string) {
  const server = entry({
    url,
    passthrough: [
      { name: "x-user-token", as: "Authorization", credential: true, required: true },
      { name: "x-mcp-api-key" },
      { name: "proxy-authorization", credential: true }
    ]
  })
  const tenant = Layer.succeed(CallHooks, [
    {
      name: "tenant",
      run: () => Effect.map(CurrentCall, ({ principal }) => ({ "X-Tenant": `tenant of ${principal}` }))
    }
  ])
  const letterhead = yield* Layer.build(Layer.provide(Letterhead.layer({ servers: [server], environment: {} }), tenant))
  const listening = yield* Layer.build(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" }))

  const handler = Effect.gen(function* () {
    const request = yield* HttpServerRequest
    const { connect } = yield* McpTransport.McpTransport
    const connection = yield* connect("example")
    const result = yield* connection.callTool("echo", { session: request.headers["x-conversation"] ?? "" })
    return yield* HttpServerResponse.json(result.content)
  }).pipe(
    Effect.scoped,
    Effect.catchTag("McpError", (error) => Effect.succeed(HttpServerResponse.text(error.message, { status: 502 })))
  )
  const app = handler.pipe(
    CallMiddleware.make({
      allowlist: CallMiddleware.listedBy([server]),
      principal: (request) => Effect.succeed(request.headers["x-login"] ?? "nobody"),
      session: (request) => Effect.succeed(request.headers["x-conversation"])
    }),
    Effect.provideContext(letterhead)
  )
  return yield* Effect.gen(function* () {
    yield* HttpServer.serveEffect(app)
    const { address } = yield* HttpServer.HttpServer
    return address._tag === "InetAddressV4" ? `http://127.0.0.1:${address.port}/` : ""
  }).pipe(Effect.provideContext(listening))
})

const get = (url: string, headers: Readonly<Record<string, string>>) =>
  Effect.promise(async () => {
    const response = await fetch(url, { headers })
    return { status: response.status, text: await response.text() }
  })

describe.concurrent("incoming headers", () => {
  for (const era of ["legacy", "modern"] as const) {
    it.live(`F48: go on with the calls of their own request and with no others (${era})`, () =>
      Effect.gen(function* () {
        const server = yield* LoopbackServer.make({ era })
        const url = yield* runtime(server.url)
        const answers = yield* Effect.forEach(
          Array.from({ length: REQUESTS }, (_, index) => index),
          (index) =>
            get(url, {
              "x-login": `user-${index % USERS}`,
              "x-conversation": `s${index}`,
              "x-user-token": `Bearer user-${index % USERS} request-${index}`,
              X_Mcp_Api_Key: `key-${index}`,
              "x-not-listed": "canary"
            }),
          { concurrency: 40 }
        )
        assert.deepStrictEqual(new Set(answers.map(({ status }) => status)), new Set([200]))

        const requests = yield* server.requests
        const calls = requests.filter(({ rpcMethod }) => rpcMethod === "tools/call")
        assert.strictEqual(calls.length, REQUESTS)
        for (const { headers, sessionMark = "" } of calls) {
          const index = Number(sessionMark.slice(1))
          assert.strictEqual(headers.get("authorization"), `Bearer user-${index % USERS} request-${index}`)
          assert.strictEqual(headers.get("x-mcp-api-key"), `key-${index}`)
          assert.strictEqual(headers.get("x-tenant"), `tenant of user-${index % USERS}`)
        }
        for (const { headers, rpcMethod } of requests) {
          assert.isFalse(headers.has("x-not-listed"))
          assert.isFalse(headers.has("x-user-token"))
          // What the connection sends of its own accord carries what came with the request that opened it.
          assert.match(headers.get("authorization") ?? "", /^Bearer user-\d request-\d+$/)
          assert.strictEqual(headers.has("x-tenant"), rpcMethod === "tools/call")
        }
      })
    )
  }

  it.live("F49: a repeated or missing header fails that request alone, before anything is sent for it", () =>
    Effect.gen(function* () {
      const server = yield* LoopbackServer.make({ era: "modern" })
      const url = yield* runtime(server.url)
      const mine = { "x-login": "ada", "x-conversation": "s" }
      const missing = yield* get(url, mine)
      assert.strictEqual(missing.status, 502)
      assert.include(missing.text, 'the incoming header "x-user-token" is required')
      const twice = yield* get(url, { ...mine, "x-user-token": "Bearer canary-1", X_User_Token: "Bearer canary-2" })
      assert.strictEqual(twice.status, 502)
      assert.include(twice.text, 'header "x-user-token"')
      assert.include(twice.text, "came 2 times")
      assert.notInclude(twice.text, "canary")
      assert.deepStrictEqual(yield* server.requests, [])

      const fine = yield* get(url, { ...mine, "x-user-token": "Bearer fine" })
      assert.strictEqual(fine.status, 200)
    })
  )

  it.live("Proxy-Authorization reaches the server where the entry lists it as a credential", () =>
    Effect.gen(function* () {
      const server = yield* LoopbackServer.make({ era: "modern" })
      const url = yield* runtime(server.url)
      const answer = yield* get(url, {
        "x-login": "ada",
        "x-conversation": "s",
        "x-user-token": "Bearer token",
        "proxy-authorization": "Basic proxy"
      })
      assert.strictEqual(answer.status, 200, answer.text)
      const calls = (yield* server.requests).filter(({ rpcMethod }) => rpcMethod === "tools/call")
      assert.deepStrictEqual(
        calls.map((request) => request.headers.get("proxy-authorization")),
        ["Basic proxy"]
      )
    })
  )
})
