/** The way of OAuth's requests, with a real proxy, a real TLS server and a certificate made for them. */
import { assert, describe, it } from "@effect/vitest"
import { SignInFailed, TokenFailed } from "@letterhead/core/headers/HeaderError"
import { Environment } from "@letterhead/core/server/Environment"
import * as OAuthFetch from "@letterhead/oauth/http/OAuthFetch"
import * as LoopbackListener from "@letterhead/testing/LoopbackListener"
import * as Effect from "effect/Effect"
import { copyFileSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { inspect } from "node:util"
import * as Proxy from "../../mcp/test/support/Proxy.ts"
import * as SecureServer from "../../mcp/test/support/SecureServer.ts"
import * as OAuthNetwork from "../src/OAuthNetwork.ts"

const CREDENTIALS = "ada:canary%40secret"

interface Asking {
  readonly environment: Readonly<Record<string, string>>
  /** Default: one of this machine. */
  readonly serverUrl?: string
  /** What names resolve to here. Default: this machine. */
  readonly addresses?: ReadonlyArray<string>
  readonly authorities?: string
}

/** What asking at a URL leads to: the status of the answer, or what the fetch rejects with. */
const ask = (url: string, asking: Asking) =>
  Effect.gen(function* () {
    const fetch = yield* OAuthFetch.make({ serverUrl: new URL(asking.serverUrl ?? "https://localhost:1/mcp") })
    const message = { method: "POST", headers: { authorization: "Basic canary-client" }, body: "code=canary-code" }
    return yield* Effect.promise(() =>
      fetch(url, message).then(
        ({ status }) => status,
        (error: unknown) => error
      )
    )
  }).pipe(
    Effect.scoped,
    Effect.provideService(OAuthFetch.Resolver, () => Promise.resolve(asking.addresses ?? ["127.0.0.1"])),
    Effect.provide(
      OAuthNetwork.layer(asking.authorities === undefined ? {} : { certificateAuthorities: asking.authorities })
    ),
    Effect.provideService(Environment, asking.environment)
  )

const local = (origin: string): string => origin.replace("127.0.0.1", "localhost")

const reasonOf = (outcome: unknown): string => {
  assert.instanceOf(outcome, TokenFailed)
  assert.notInclude(inspect(outcome, { depth: 10 }), "canary")
  return outcome instanceof TokenFailed ? outcome.description : ""
}

describe("requests of OAuth", () => {
  it.live("trust the certificate authorities of the options without a proxy too, at the address that was checked", () =>
    Effect.gen(function* () {
      const server = yield* SecureServer.make
      const url = `${local(server.origin)}/token`
      assert.include(reasonOf(yield* ask(url, { environment: {} })), "signed by an authority that is not known here")
      const trusting = { environment: {}, authorities: SecureServer.AUTHORITY_FILE }
      assert.strictEqual(yield* ask(url, trusting), 200)
      const elsewhere = yield* ask(url, { ...trusting, addresses: ["10.0.0.1"] })
      assert.instanceOf(elsewhere, SignInFailed)
      assert.strictEqual(server.seen.length, 1)
    })
  )

  it.live("read the certificate authorities once", () =>
    Effect.gen(function* () {
      const server = yield* SecureServer.make
      const folder = yield* Effect.acquireRelease(
        Effect.sync(() => mkdtempSync(join(tmpdir(), "authorities-"))),
        (made) => Effect.sync(() => rmSync(made, { recursive: true }))
      )
      const file = join(folder, "authorities.pem")
      copyFileSync(SecureServer.AUTHORITY_FILE, file)
      const statusOf = Effect.gen(function* () {
        const fetch = yield* OAuthFetch.make({ serverUrl: new URL("https://localhost:1/mcp") })
        return yield* Effect.promise(() => fetch(`${local(server.origin)}/token`).then(({ status }) => status))
      }).pipe(
        Effect.scoped,
        Effect.provideService(OAuthFetch.Resolver, () => Promise.resolve(["127.0.0.1"]))
      )
      yield* Effect.gen(function* () {
        assert.strictEqual(yield* statusOf, 200)
        rmSync(file)
        assert.strictEqual(yield* statusOf, 200)
      }).pipe(
        Effect.provide(OAuthNetwork.layer({ certificateAuthorities: file })),
        Effect.provideService(Environment, {})
      )
    })
  )

  it.live("go through a tunnel of the proxy, which gets its credentials and sees nothing of them", () =>
    Effect.gen(function* () {
      const server = yield* SecureServer.make
      const proxy = yield* Proxy.make()
      const outcome = yield* ask(`${local(server.origin)}/token`, {
        environment: { HTTPS_PROXY: `http://${CREDENTIALS}@${proxy.host}` },
        authorities: SecureServer.AUTHORITY,
        // Where there is a proxy, most names resolve to nothing outside of it.
        addresses: []
      })
      assert.strictEqual(outcome, 200)
      const [tunnel] = proxy.seen
      assert.strictEqual(tunnel?.method, "CONNECT")
      assert.strictEqual(tunnel?.target, local(server.origin).slice("https://".length))
      assert.strictEqual(
        tunnel?.headers["proxy-authorization"],
        `Basic ${Buffer.from("ada:canary@secret").toString("base64")}`
      )
      assert.notInclude(JSON.stringify(proxy.seen), "canary-c")
      assert.isUndefined(server.seen[0]?.["proxy-authorization"])
      assert.strictEqual(server.seen[0]?.["authorization"], "Basic canary-client")
    })
  )

  it.live("F45: keep to the rules for URLs with a proxy, which is asked for nothing that they forbid", () =>
    Effect.gen(function* () {
      const proxy = yield* Proxy.make({ refuse: 502 })
      const asking = {
        environment: { HTTPS_PROXY: proxy.host, HTTP_PROXY: proxy.host },
        serverUrl: "https://mcp.example.com/mcp"
      }
      for (const url of [
        "http://auth.example.com/token",
        "https://localhost/token",
        "https://127.0.0.1/token",
        "https://169.254.169.254/latest",
        "https://[fd00::1]/token",
        "https://[::ffff:10.0.0.1]/token",
        "https://ada:secret@auth.example.com/token"
      ]) {
        assert.instanceOf(yield* ask(url, asking), SignInFailed, url)
      }
      assert.deepStrictEqual(proxy.seen, [])
      // What a name resolves to is the proxy's to know, and to check.
      reasonOf(yield* ask("https://auth.example.com/token", { ...asking, addresses: ["10.0.0.1"] }))
      assert.deepStrictEqual(
        proxy.seen.map(({ target }) => target),
        ["auth.example.com:443"]
      )
    })
  )

  it.live("F45: pass over the proxy for what NO_PROXY names, at the address that was checked", () =>
    Effect.gen(function* () {
      const server = yield* SecureServer.make
      const proxy = yield* Proxy.make()
      const environment = { HTTPS_PROXY: proxy.host, NO_PROXY: "localhost, .corp.example" }
      const asking = { environment, authorities: SecureServer.AUTHORITY }
      assert.strictEqual(yield* ask(`${local(server.origin)}/token`, asking), 200)
      const serverUrl = "https://mcp.example.com/mcp"
      const inside = yield* ask("https://login.corp.example/token", { ...asking, serverUrl, addresses: ["10.0.0.1"] })
      assert.instanceOf(inside, SignInFailed)
      assert.include(inspect(inside), "inside a private network")
      assert.deepStrictEqual(proxy.seen, [])
    })
  )

  for (const [status, said] of [
    [407, "asks for credentials"],
    [403, "answered 403"]
  ] as const) {
    it.live(`end in an error that names the proxy and not its credentials where it refuses with ${status}`, () =>
      Effect.gen(function* () {
        const proxy = yield* Proxy.make({ refuse: status })
        const environment = { HTTPS_PROXY: `http://${CREDENTIALS}@${proxy.host}` }
        const serverUrl = "https://mcp.example.com/mcp"
        const reason = reasonOf(yield* ask("https://auth.example.com/token", { environment, serverUrl }))
        assert.include(reason, `https://auth.example.com cannot be reached: the proxy http://${proxy.host} ${said}`)
      })
    )
  }

  it.live("name the proxy where it asks for credentials for a request that is not tunnelled, or is not there", () =>
    Effect.gen(function* () {
      const origin = yield* LoopbackListener.listen((_, response) => void response.end("{}"))
      const serverUrl = `${origin}/mcp`
      const proxy = yield* Proxy.make({ refuse: 407 })
      const refused = { environment: { HTTP_PROXY: `http://${CREDENTIALS}@${proxy.host}` }, serverUrl }
      assert.include(reasonOf(yield* ask(`${origin}/token`, refused)), `the proxy http://${proxy.host} asks for`)
      const absent = { environment: { HTTP_PROXY: `http://${CREDENTIALS}@127.0.0.1:1` }, serverUrl }
      assert.include(
        reasonOf(yield* ask(`${origin}/token`, absent)),
        "connection refused; is the server running?; requests go through the proxy http://127.0.0.1:1"
      )
    })
  )

  it.live("end before anything is sent where what names the proxy or the authorities is no such thing", () =>
    Effect.gen(function* () {
      const environment = { HTTPS_PROXY: "ftp://ada:canary@proxy.example" }
      const url = "https://localhost:1/token"
      const failure = (asking: Asking) => Effect.map(Effect.flip(ask(url, asking)), ({ message }) => message)
      const proxy = yield* failure({ environment })
      assert.include(proxy, "HTTPS_PROXY")
      assert.notInclude(proxy, "canary")
      assert.include(yield* failure({ environment: {}, authorities: "/nowhere/authorities.pem" }), "/nowhere/")
    })
  )
})
