/** Proxies and certificate authorities, with a real proxy, a real TLS server and a certificate made for them. */
import { assert, describe, it } from "@effect/vitest"
import * as HttpDispatcher from "@letterhead/mcp/http/HttpDispatcher"
import * as LoopbackListener from "@letterhead/testing/LoopbackListener"
import * as RecordingServer from "@letterhead/testing/RecordingServer"
import * as Effect from "effect/Effect"
import { execFile } from "node:child_process"
import { inspect } from "node:util"
import { Agent, MockAgent } from "undici"
import * as Proxy from "./support/Proxy.ts"
import * as Requests from "./support/Requests.ts"
import * as SecureServer from "./support/SecureServer.ts"

const CREDENTIALS = "ada:canary%40secret"
const BASIC = `Basic ${Buffer.from("ada:canary@secret").toString("base64")}`

describe("a proxy", () => {
  for (const name of ["HTTP_PROXY", "http_proxy"]) {
    it.live(`that ${name} names gets requests over HTTP whole, with its credentials, which nobody else gets`, () =>
      Effect.gen(function* () {
        const server = yield* RecordingServer.make()
        const proxy = yield* Proxy.make()
        const environment = { [name]: `http://${CREDENTIALS}@${proxy.host}` }
        const { send } = yield* Requests.make({ url: `${server.url}mcp`, environment })
        assert.strictEqual(yield* Effect.flatMap(send("tools/call"), Requests.text), "{}")
        assert.deepStrictEqual(
          proxy.seen.map(({ headers, method, target }) => [method, target, headers["proxy-authorization"]]),
          [["POST", `${server.url}mcp`, BASIC]]
        )
        const [request] = yield* server.requests
        assert.strictEqual(request?.headers.get("x-key"), Requests.CANARY)
      })
    )
  }

  for (const name of ["HTTPS_PROXY", "https_proxy"]) {
    it.live(`that ${name} names opens a tunnel for requests over HTTPS, and sees none of their headers`, () =>
      Effect.gen(function* () {
        const server = yield* SecureServer.make
        const proxy = yield* Proxy.make()
        const environment = { [name]: `http://${CREDENTIALS}@${proxy.host}` }
        const url = `${server.origin}/mcp`
        const { send } = yield* Requests.make({ url, environment, authorities: SecureServer.AUTHORITY })
        assert.strictEqual(yield* Effect.flatMap(send("tools/call"), Requests.text), "{}")
        assert.deepStrictEqual(
          proxy.seen.map(({ headers, method, target }) => [method, target, headers["proxy-authorization"]]),
          [["CONNECT", new URL(url).host, BASIC]]
        )
        assert.notInclude(JSON.stringify(proxy.seen), Requests.CANARY)
        assert.strictEqual(server.seen[0]?.["x-key"], Requests.CANARY)
        assert.isUndefined(server.seen[0]?.["proxy-authorization"])
      })
    )
  }

  for (const [name, value] of [
    ["NO_PROXY", "other.example,127.0.0.1"],
    ["no_proxy", "*"]
  ] as const) {
    it.live(`is passed over for what ${name} names`, () =>
      Effect.gen(function* () {
        const server = yield* RecordingServer.make()
        const proxy = yield* Proxy.make()
        const environment = { HTTP_PROXY: `http://${proxy.host}`, [name]: value }
        const { send } = yield* Requests.make({ url: `${server.url}mcp`, environment })
        yield* send("tools/call")
        assert.deepStrictEqual(proxy.seen, [])
        assert.strictEqual((yield* server.requests).length, 1)
      })
    )
  }

  it.live("is the one in lower case where both are set, and none where it is empty or there is no environment", () =>
    Effect.gen(function* () {
      const server = yield* RecordingServer.make()
      const [lower, upper] = [yield* Proxy.make(), yield* Proxy.make()]
      const send = (environment: Readonly<Record<string, string>>) =>
        Effect.scoped(
          Effect.flatMap(Requests.make({ url: `${server.url}mcp`, environment }), (requests) =>
            Effect.flatMap(requests.send("tools/call"), Requests.text)
          )
        )
      // Without a scheme it is HTTP, as with curl.
      yield* send({ http_proxy: lower.host, HTTP_PROXY: `http://${upper.host}` })
      yield* send({ HTTP_PROXY: "" })
      yield* send({ http_proxy: "", HTTP_PROXY: upper.host })
      assert.deepStrictEqual([lower.seen.length, upper.seen.length], [1, 1])
      assert.strictEqual((yield* server.requests).length, 3)
    })
  )

  it.live("is never read from the environment of the process itself", () =>
    Effect.gen(function* () {
      const server = yield* RecordingServer.make()
      const proxy = yield* Proxy.make()
      yield* Effect.acquireRelease(
        Effect.sync(() => {
          process.env["http_proxy"] = `http://${proxy.host}`
        }),
        () => Effect.sync(() => delete process.env["http_proxy"])
      )
      for (const environment of [{}, { HTTPS_PROXY: "http://127.0.0.1:1" }]) {
        const { send } = yield* Requests.make({ url: `${server.url}mcp`, environment })
        yield* Effect.exit(send("tools/call"))
      }
      assert.deepStrictEqual(
        proxy.seen.filter(({ method }) => method === "POST"),
        []
      )
    })
  )

  for (const [status, said] of [
    [407, "asks for credentials"],
    [502, "502"]
  ] as const) {
    for (const scheme of ["http", "https"] as const) {
      it.live(`that refuses with ${status} is named in the error, without its credentials (${scheme})`, () =>
        Effect.gen(function* () {
          const origin =
            scheme === "http" ? yield* LoopbackListener.listen(() => undefined) : (yield* SecureServer.make).origin
          const proxy = yield* Proxy.make({ refuse: status })
          const environment = { [`${scheme}_proxy`]: `http://${CREDENTIALS}@${proxy.host}` }
          const { send } = yield* Requests.make({ url: `${origin}/mcp`, environment })
          const reason = yield* Effect.flip(send("tools/call"))
          // What a proxy answers to a plain request looks like an answer of the server.
          assert.strictEqual(reason._tag, scheme === "http" && status === 502 ? "HttpFailed" : "ProxyFailed")
          assert.include(reason.message, `http://${proxy.host}`)
          assert.include(reason.message, said)
          assert.notInclude(inspect(reason, { depth: 10 }), "secret")
          assert.strictEqual(proxy.seen.length, 1)
        })
      )
    }
  }

  it.live("that is not there is named in the error, and what is said is to whom", () =>
    Effect.gen(function* () {
      const environment = { HTTP_PROXY: `http://${CREDENTIALS}@127.0.0.1:1` }
      const { send } = yield* Requests.make({ url: "http://127.0.0.1:2/mcp", environment })
      const reason = yield* Effect.flip(send("tools/call"))
      assert.strictEqual(reason._tag, "Unreachable")
      assert.include(reason.message, "http://127.0.0.1:1")
      assert.notInclude(inspect(reason, { depth: 10 }), "secret")
    })
  )

  for (const value of ["http://ada:canary@", "ftp://ada:canary@proxy.example", "http://ada:canary@[bad/"]) {
    it.live(`whose URL is none (${value}) is an error that names the variable and not what it holds`, () =>
      Effect.gen(function* () {
        const environment = { HTTPS_PROXY: value }
        const reason = yield* Effect.flip(Requests.make({ url: "https://127.0.0.1:2/mcp", environment }))
        assert.deepInclude(reason, { _tag: "ProxyFailed", proxy: "HTTPS_PROXY" })
        assert.notInclude(inspect(reason, { depth: 10 }), "canary")
      })
    )
  }
})

describe("a dispatcher that is provided", () => {
  it.live("writes the requests, whatever the environment says, and is left open at the end", () =>
    Effect.gen(function* () {
      const server = yield* RecordingServer.make()
      const seen: Array<string> = []
      const agent = yield* Effect.acquireRelease(
        Effect.sync(() => new Agent()),
        (made) => Effect.promise(() => made.destroy())
      )
      const dispatcher = agent.compose((dispatch) => (options, handler) => {
        seen.push(options.path)
        return dispatch(options, handler)
      })
      const environment = { HTTP_PROXY: "http://127.0.0.1:1" }
      yield* Effect.scoped(
        Effect.flatMap(Requests.make({ url: `${server.url}mcp`, environment }), ({ send }) =>
          Effect.flatMap(send("tools/call"), Requests.text)
        )
      ).pipe(Effect.provideService(HttpDispatcher.HttpDispatcher, dispatcher))
      assert.deepStrictEqual(seen, ["/mcp"])
      assert.isFalse(agent.destroyed)
    })
  )

  it.live("may answer itself", () =>
    Effect.gen(function* () {
      const agent = new MockAgent()
      agent.disableNetConnect()
      const answer = { method: "POST", path: "/mcp" }
      agent
        .get("http://mcp.example")
        .intercept(answer)
        .reply(200, { fine: true }, { headers: { "x-mock": "1" } })
      agent.get("http://mcp.example").intercept(answer).replyWithError(new Error("canary"))
      const { send } = yield* Requests.make({ url: "http://mcp.example/mcp" }).pipe(
        Effect.provideService(HttpDispatcher.HttpDispatcher, agent)
      )
      const response = yield* send("tools/call")
      assert.strictEqual(response.headers.get("x-mock"), "1")
      assert.deepStrictEqual(yield* Effect.promise(() => response.json()), { fine: true })
      const reason = yield* Effect.flip(send("tools/call"))
      assert.strictEqual(reason._tag, "Unreachable")
      assert.notInclude(inspect(reason, { depth: 10 }), "canary")
    })
  )
})

describe("a certificate", () => {
  it.live("of an authority that nobody knows is refused, before a header is sent", () =>
    Effect.gen(function* () {
      const server = yield* SecureServer.make
      const { send } = yield* Requests.make({ url: `${server.origin}/mcp` })
      const reason = yield* Effect.flip(send("tools/call"))
      assert.strictEqual(reason._tag, "Unreachable")
      assert.include(reason.message, "certificate")
      assert.deepStrictEqual(server.seen, [])
    })
  )

  for (const [form, authorities] of [
    ["as text", SecureServer.AUTHORITY],
    ["as a file", SecureServer.AUTHORITY_FILE]
  ] as const) {
    it.live(`of an authority that is provided ${form} is accepted`, () =>
      Effect.gen(function* () {
        const server = yield* SecureServer.make
        const { send } = yield* Requests.make({ url: `${server.origin}/mcp`, authorities })
        assert.strictEqual(yield* Effect.flatMap(send("tools/call"), Requests.text), "{}")
      })
    )
  }

  for (const [what, authorities] of [
    ["a file that is not there", "/nowhere/authorities.pem"],
    ["a file without one", new URL("./fixtures/tls/server.key", import.meta.url).pathname],
    ["a certificate that is none", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"],
    ["nothing", ""]
  ] as const) {
    it.live(`that should come from ${what} is an error before anything is sent`, () =>
      Effect.gen(function* () {
        const reason = yield* Effect.flip(Requests.make({ url: "https://127.0.0.1:2/mcp", authorities }))
        assert.strictEqual(reason._tag, "AuthoritiesInvalid")
        assert.notInclude(inspect(reason, { depth: 10 }), "PRIVATE")
      })
    )
  }

  it.live("of an authority of NODE_EXTRA_CA_CERTS is accepted, for Node reads it at its start", () =>
    Effect.gen(function* () {
      const server = yield* SecureServer.make
      const program = new URL("./support/one-request.ts", import.meta.url).pathname
      const run = (environment: NodeJS.ProcessEnv) =>
        Effect.callback<string>((resume) => {
          const options = { timeout: 20_000, env: { ...process.env, ...environment } }
          execFile(process.execPath, [program, `${server.origin}/mcp`], options, (error, stdout) =>
            resume(error === null ? Effect.succeed(stdout) : Effect.die(error))
          )
        })
      assert.include(yield* run({}), "certificate")
      assert.strictEqual(yield* run({ NODE_EXTRA_CA_CERTS: SecureServer.AUTHORITY_FILE }), "{}")
    })
  )
})
