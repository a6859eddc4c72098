import { assert, it } from "@effect/vitest"
import { SignInFailed, TokenFailed } from "@letterhead/core/headers/HeaderError"
import type { FetchLike } from "@modelcontextprotocol/client"
import * as LoopbackListener from "@letterhead/testing/LoopbackListener"
import * as Effect from "effect/Effect"
import { readFileSync } from "node:fs"
import { createServer as createHttpServer } from "node:http"
import { createServer } from "node:https"
import { networkInterfaces } from "node:os"
import { Agent } from "undici"
import { describe, expect } from "vitest"
import * as OAuthFetch from "../src/http/OAuthFetch.ts"
import * as LoopbackServer from "./support/LoopbackServer.ts"

/** What a request of this fetch rejects with. */
const rejection = (fetch: FetchLike, ...request: Parameters<FetchLike>) =>
  Effect.promise(() =>
    fetch(...request).then(
      () => undefined,
      (error: unknown) => error
    )
  )

const expectTokenFailed = (error: unknown, text: string) => {
  expect(error).toBeInstanceOf(TokenFailed)
  expect(error instanceof TokenFailed && error.description).toContain(text)
}

const expectRefused = (error: unknown, text: string) => {
  expect(error).toBeInstanceOf(SignInFailed)
  expect(error instanceof SignInFailed && error.description).toContain(text)
}

const ROUTES: Readonly<Record<string, LoopbackServer.Answering>> = {
  "/ok": (_, response) => LoopbackServer.json(response, { ok: true }),
  "/large": (_, response) => void response.end(Buffer.alloc(64 * 1024)),
  "/busy": (_, response) => void response.writeHead(429).end(),
  "/broken": (_, response) => void response.writeHead(503).end("<html>"),
  "/gateway": (_, response) => void response.writeHead(502).end(),
  "/refused": (_, response) => LoopbackServer.json(response, { error: "invalid_grant" }, 400),
  "/silent": () => {},
  "/half": (_, response) => {
    response.writeHead(200, { "content-length": "100" })
    response.write("{")
    setTimeout(() => response.destroy(), 20)
  },
  "/endless": (_, response) => void response.writeHead(302, { location: "/endless" }).end(),
  "/once": (_, response) => void response.writeHead(302, { location: "/ok" }).end(),
  "/post-302": (_, response) => void response.writeHead(302, { location: "/ok" }).end(),
  "/post-307": (_, response) => void response.writeHead(307, { location: "/ok" }).end(),
  "/to-file": (_, response) => void response.writeHead(302, { location: "file:///etc/passwd" }).end(),
  "/to-metadata": (_, response) =>
    void response.writeHead(302, { location: "http://169.254.169.254/latest/meta-data/" }).end(),
  "/to-private": (_, response) => void response.writeHead(302, { location: "https://10.0.0.1/" }).end()
}

const tls = (name: string): string =>
  readFileSync(new URL(`../../mcp/test/fixtures/tls/${name}`, import.meta.url), "utf8")

/** The origin of a server whose certificate an authority of ours has signed, for `localhost`. */
const secured = Effect.map(
  LoopbackListener.bind(
    createServer({ key: tls("server.key"), cert: tls("server.pem") }, (_, response) => {
      LoopbackServer.json(response, { ok: true })
    })
  ),
  (port) => `https://localhost:${port}`
)

const hasIpv6 = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === "::1"))

const routed = LoopbackServer.make((request, response, origin) => {
  const route = ROUTES[request.path.split("?")[0] ?? ""]
  if (route === undefined) response.writeHead(404).end()
  else route(request, response, origin)
})

describe("OAuthFetch", () => {
  it.live("F45, F46: sends what it is told and its own name, and nothing else", () =>
    Effect.gen(function* () {
      const server = yield* routed
      const fetch = yield* OAuthFetch.make({ serverUrl: new URL(`${server.origin}/mcp`) })
      yield* Effect.promise(() => fetch(`${server.origin}/.well-known/oauth-protected-resource`))
      yield* Effect.promise(() =>
        fetch(`${server.origin}/ok`, {
          method: "POST",
          headers: { Authorization: "Basic eDp5" },
          body: new URLSearchParams({ a: "b c" })
        })
      )
      const [get, post] = server.received
      expect(Object.keys(get?.headers ?? {}).toSorted()).toEqual(["connection", "host", "user-agent"])
      expect(post?.headers["content-type"]).toBe("application/x-www-form-urlencoded;charset=UTF-8")
      expect(post?.headers.authorization).toBe("Basic eDp5")
      expect(post?.body).toBe("a=b+c")
    })
  )

  it.live("F62: gives refusals to the caller, and makes busy, broken, late, large and cut answers TokenFailed", () =>
    Effect.gen(function* () {
      const server = yield* routed
      const fetch = yield* OAuthFetch.make({ serverUrl: new URL(`${server.origin}/mcp`) })
      const refused = yield* Effect.promise(() => fetch(`${server.origin}/refused`, { method: "POST", body: "" }))
      expect(refused.status).toBe(400)
      expectTokenFailed(yield* rejection(fetch, `${server.origin}/busy`), "answered 429")
      expectTokenFailed(yield* rejection(fetch, `${server.origin}/broken`), "answered 503")
      expectTokenFailed(yield* rejection(fetch, `${server.origin}/large`), "more than 10000 bytes")
      expectTokenFailed(yield* rejection(fetch, `${server.origin}/silent`), "did not answer within 1500 ms")
      expectTokenFailed(yield* rejection(fetch, `${server.origin}/half`), "cannot be reached")
      expectTokenFailed(yield* rejection(fetch, "http://127.0.0.1:9/"), "cannot be reached (ECONNREFUSED)")
      // To who looks for metadata a gateway answers so where there is none.
      expect((yield* Effect.promise(() => fetch(`${server.origin}/gateway`))).status).toBe(502)
      expectTokenFailed(
        yield* rejection(fetch, `${server.origin}/gateway`, { method: "POST", body: "" }),
        "answered 502"
      )
    }).pipe(Effect.provideService(OAuthFetch.OAuthLimits, { milliseconds: 1_500, bytes: 10_000 }))
  )

  it.live("ends with the reason of the caller's signal", () =>
    Effect.gen(function* () {
      const server = yield* routed
      const fetch = yield* OAuthFetch.make({ serverUrl: new URL(`${server.origin}/mcp`) })
      const reason = new Error("enough")
      expect(yield* rejection(fetch, `${server.origin}/silent`, { signal: AbortSignal.abort(reason) })).toBe(reason)
    })
  )

  it.live("F45: looks at each target of a redirect, and at no more than five", () =>
    Effect.gen(function* () {
      const server = yield* routed
      const fetch = yield* OAuthFetch.make({ serverUrl: new URL(`${server.origin}/mcp`) })
      const followed = yield* Effect.promise(() => fetch(`${server.origin}/once`))
      expect(yield* Effect.promise(() => followed.json())).toEqual({ ok: true })
      expectRefused(yield* rejection(fetch, `${server.origin}/to-file`), "not https")
      expectRefused(yield* rejection(fetch, `${server.origin}/to-metadata`), "not https")
      expectRefused(yield* rejection(fetch, `${server.origin}/to-private`), "private network")
      const before = server.received.length
      expectTokenFailed(yield* rejection(fetch, `${server.origin}/endless`), "more than 5 times")
      expect(server.received.length - before).toBe(OAuthFetch.REDIRECT_LIMIT + 1)
      const manual = yield* Effect.promise(() => fetch(`${server.origin}/once`, { redirect: "manual" }))
      expect(manual.headers.get("location")).toBe("/ok")
      expectTokenFailed(yield* rejection(fetch, `${server.origin}/once`, { redirect: "error" }), "redirects")
    })
  )

  it.live("F45: a POST stays a POST and at its origin", () =>
    Effect.gen(function* () {
      const other = yield* routed
      const server = yield* LoopbackServer.make((request, response) => {
        const location = request.path === "/away" ? `${other.origin}/ok` : "/here"
        if (request.path === "/here") LoopbackServer.json(response, {})
        else response.writeHead(request.path === "/changed" ? 302 : 307, { location }).end()
      })
      const fetch = yield* OAuthFetch.make({ serverUrl: new URL(`${server.origin}/mcp`) })
      const post = { method: "POST", body: "code=secret" }
      expect((yield* Effect.promise(() => fetch(`${server.origin}/near`, post))).ok).toBe(true)
      expect(server.received.map(({ body, method }) => `${method} ${body}`)).toEqual(Array(2).fill("POST code=secret"))
      expectTokenFailed(yield* rejection(fetch, `${server.origin}/away`, post), "redirects a request")
      expectTokenFailed(yield* rejection(fetch, `${server.origin}/changed`, post), "redirects a request")
      expect(other.received).toEqual([])
    })
  )

  it.live("F45: a name that resolves into a private network is not asked, whatever else it resolves to", () =>
    Effect.gen(function* () {
      const serverUrl = new URL("https://mcp.example.com/mcp")
      for (const addresses of [
        ["127.0.0.1"],
        ["10.0.0.1"],
        ["93.184.215.14", "169.254.169.254"],
        ["::ffff:10.1.1.1"]
      ]) {
        const fetch = yield* OAuthFetch.make({ serverUrl }).pipe(
          Effect.provideService(OAuthFetch.Resolver, () => Promise.resolve(addresses))
        )
        expectRefused(yield* rejection(fetch, "https://auth.example.com/token"), "inside a private network")
      }
    })
  )

  it.live("F45: connects to the address that was checked, and checks again where it connects again", () =>
    Effect.gen(function* () {
      const server = yield* LoopbackServer.make((_, response) => {
        response.writeHead(200, { connection: "close" }).end("{}")
      })
      // First this machine, then a place inside a network: what DNS says may change with every answer.
      const answers = [["127.0.0.1"], ["10.0.0.1"]]
      let asked = 0
      const fetch = yield* OAuthFetch.make({ serverUrl: new URL("http://localhost:1/mcp") }).pipe(
        Effect.provideService(OAuthFetch.Resolver, () => Promise.resolve(answers[asked++] ?? []))
      )
      const url = `http://localhost:${server.port}/ok`
      expect((yield* Effect.promise(() => fetch(url))).ok).toBe(true)
      // The name is looked up once for a connection: what was checked is what was connected to.
      expect(asked).toBe(1)
      expectRefused(yield* rejection(fetch, url), "inside a private network")
      expect(asked).toBe(2)
      expectTokenFailed(yield* rejection(fetch, url), "has no address")
      expect(server.received).toHaveLength(1)
    })
  )

  it.live.skipIf(!hasIpv6)("asks an address of IPv6 as any other", () =>
    Effect.gen(function* () {
      const server = createHttpServer((_, response) => void response.end("{}"))
      yield* Effect.acquireRelease(
        Effect.callback<void>((resume) => void server.listen(0, "::1", () => resume(Effect.void))),
        () => Effect.sync(() => server.close())
      )
      const address = server.address()
      const origin = `http://[::1]:${typeof address === "object" ? address?.port : 0}`
      const fetch = yield* OAuthFetch.make({ serverUrl: new URL(`${origin}/mcp`) })
      assert.isTrue((yield* Effect.promise(() => fetch(`${origin}/ok`))).ok)
    })
  )

  it.live("believes no certificate that nobody vouches for, and a runtime's own dispatcher may vouch", () =>
    Effect.gen(function* () {
      const origin = yield* secured
      const options = { serverUrl: new URL("http://localhost:1/mcp") }
      const strict = yield* OAuthFetch.make(options).pipe(
        Effect.provideService(OAuthFetch.Resolver, () => Promise.resolve(["127.0.0.1"]))
      )
      expectTokenFailed(yield* rejection(strict, `${origin}/token`), "cannot be reached (UNABLE_TO_VERIFY")
      const dispatcher = new Agent({ connect: { ca: tls("authority.pem") } })
      yield* Effect.addFinalizer(() => Effect.promise(() => dispatcher.destroy()))
      const trusting = yield* OAuthFetch.make(options).pipe(
        Effect.provideService(OAuthFetch.OAuthDispatcher, () => Effect.succeed({ dispatcher }))
      )
      expect((yield* Effect.promise(() => trusting(`${origin}/token`))).ok).toBe(true)
      expectRefused(yield* rejection(trusting, "https://10.0.0.1/"), "private network")
    })
  )
})
