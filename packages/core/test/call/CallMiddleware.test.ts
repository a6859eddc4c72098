/** Whose call a request of an effect/http server becomes, over real sockets. */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { assert, it } from "@effect/vitest"
import { CurrentCall, withCall } from "@letterhead/core/call/CallContext"
import * as CallMiddleware from "@letterhead/core/call/CallMiddleware"
import { entry } from "@letterhead/testing/EntryFixture"
import * as Effect from "effect/Effect"
import * as Headers from "effect/http/Headers"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServer from "effect/http/HttpServer"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { createServer } from "node:http"
import { connect } from "node:net"

/** Requests at the same time. */
const REQUESTS = 300

class Refused {
  readonly _tag = "Refused"
}

/** Who is logged in, as a runtime's own authentication would know. */
const principals: Readonly<Record<string, string>> = { "key-ada": "ada", "key-bob": "bob" }

const middleware = CallMiddleware.make({
  allowlist: ["x-user-token"],
  principal: (request) => {
    const principal = principals[request.headers["x-login"] ?? ""]
    return principal === undefined ? Effect.fail(new Refused()) : Effect.succeed(principal)
  },
  session: (request) => Effect.succeed(request.headers["x-conversation"])
})

/** Answers with the call it runs as, after others had their turn. */
const handler = Effect.gen(function* () {
  yield* Effect.sleep(1)
  const { incoming, ...call } = yield* CurrentCall
  const fields = incoming?.map(({ name, value }) => [name, Redacted.value(value)])
  return yield* HttpServerResponse.json({ ...call, incoming: fields })
})

/** Serves the handler behind the middleware until the scope ends; gives the port. */
const serving = Effect.fnUntraced(function* (
  before: (request: HttpServerRequest.HttpServerRequest) => HttpServerRequest.HttpServerRequest
) {
  const context = yield* Layer.build(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" }))
  const app = middleware(handler).pipe(
    Effect.catchTag("Refused", () => Effect.succeed(HttpServerResponse.empty({ status: 401 }))),
    Effect.updateService(HttpServerRequest.HttpServerRequest, before)
  )
  return yield* Effect.gen(function* () {
    yield* withCall(HttpServer.serveEffect(app), { principal: "outer", sessionId: "of the runtime itself" })
    const { address } = yield* HttpServer.HttpServer
    return address._tag === "InetAddressV4" ? address.port : 0
  }).pipe(Effect.provideContext(context))
})

const served = Effect.map(
  serving((request) => request),
  (port) => `http://127.0.0.1:${port}/`
)

/** Sends header lines as they are, and gives the JSON that is answered. */
const sendRaw = (port: number, lines: ReadonlyArray<string>) =>
  Effect.callback<unknown>((resume) => {
    const socket = connect(port, "127.0.0.1")
    let answer = ""
    socket.on("data", (chunk) => (answer += chunk.toString()))
    socket.on("close", () => resume(Effect.sync((): unknown => JSON.parse(answer.slice(answer.indexOf("{"))))))
    socket.write(["GET / HTTP/1.1", "host: localhost", "connection: close", ...lines, "", ""].join("\r\n"))
  })

const get = (url: string, headers: Readonly<Record<string, string>>) =>
  Effect.promise(async (): Promise<unknown> => {
    const response = await fetch(url, { headers })
    return response.status === 200 ? response.json() : response.status
  })

it.live("a request is a call of its sender, in its session, with the listed headers and nothing of the runtime's", () =>
  Effect.gen(function* () {
    const url = yield* served
    assert.deepStrictEqual(
      yield* get(url, { "x-login": "key-ada", "x-conversation": "s1", X_User_Token: "token", "x-other": "no" }),
      { principal: "ada", sessionId: "s1", incoming: [["x_user_token", "token"]] }
    )
    assert.deepStrictEqual(yield* get(url, { "x-login": "key-bob" }), { principal: "bob", incoming: [] })
  })
)

it.live("a request whose sender is not known does not reach the handler", () =>
  Effect.gen(function* () {
    assert.strictEqual(yield* get(yield* served, { "x-login": "nobody" }), 401)
  })
)

it.live("F48: requests that run at the same time each have their own", () =>
  Effect.gen(function* () {
    const url = yield* served
    const answers = yield* Effect.forEach(
      Array.from({ length: REQUESTS }, (_, index) => index),
      (index) =>
        get(url, {
          "x-login": index % 2 === 0 ? "key-ada" : "key-bob",
          "x-conversation": `s${index}`,
          "x-user-token": `token-${index}`
        }),
      { concurrency: 50 }
    )
    assert.deepStrictEqual(
      answers,
      answers.map((_, index) => ({
        principal: index % 2 === 0 ? "ada" : "bob",
        sessionId: `s${index}`,
        incoming: [["x-user-token", `token-${index}`]]
      }))
    )
  })
)

it.live(
  "F49: what a middleware before it replaced or took away counts; how often a field came is told by the wire",
  () =>
    Effect.gen(function* () {
      const replaced = yield* serving((request) =>
        request.modify({ headers: Headers.set(request.headers, "x-user-token", "checked, and replaced") })
      )
      const once = ["x-login: key-ada", "X-User-Token: forged"]
      assert.deepInclude(yield* sendRaw(replaced, once), { incoming: [["x-user-token", "checked, and replaced"]] })
      assert.deepInclude(yield* sendRaw(replaced, [...once, "x-user-token: again"]), {
        incoming: [
          ["X-User-Token", "forged"],
          ["x-user-token", "again"]
        ]
      })
      const taken = yield* serving((request) =>
        request.modify({ headers: Headers.remove(request.headers, "x-user-token") })
      )
      assert.deepInclude(yield* sendRaw(taken, once), { incoming: [] })
      const left = yield* serving((request) => request)
      assert.deepInclude(yield* sendRaw(left, ["x-login: key-ada", "x-user-token: a, b"]), {
        incoming: [["x-user-token", "a, b"]]
      })
    })
)

it.live("it fits the router", () =>
  Effect.gen(function* () {
    const routes = HttpRouter.add("GET", "/", handler).pipe(
      Layer.provide(
        HttpRouter.middleware(
          CallMiddleware.make({ allowlist: ["x-user-token"], principal: () => Effect.succeed("ada") })
        ).layer
      )
    )
    const web = HttpRouter.toWebHandler(routes, { disableLogger: true })
    yield* Effect.addFinalizer(() => Effect.promise(() => web.dispose()))
    const response = yield* Effect.promise(() =>
      web.handler(new Request("http://localhost/", { headers: { "X-User-Token": "token" } }))
    )
    assert.deepStrictEqual(yield* Effect.promise(() => response.json()), {
      principal: "ada",
      incoming: [["x-user-token", "token"]]
    })
  })
)

it("what there is to capture for some entries is what they list", () => {
  const entries = [
    entry({ passthrough: [{ name: "X-User-Token" }, { name: "x_mcp_auth" }] }),
    entry({ passthrough: [{ name: "x-user-token", as: "X-Token" }] }),
    entry()
  ]
  assert.deepStrictEqual(CallMiddleware.listedBy(entries), ["x-user-token", "x-mcp-auth"])
})

it("what is to be captured for an entry that exchanges the token of whoever calls is Authorization", () => {
  const exchanging = entry({ oauth: { exchange: { tokenUrl: "https://idp.example.com/token" } } })
  assert.deepStrictEqual(CallMiddleware.listedBy([entry(), exchanging]), ["authorization"])
})
