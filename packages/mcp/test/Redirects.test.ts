/** Redirects of every kind of request with every status, and where headers go at all; faults F43, F44 and F46. */
import { assert, describe, it } from "@effect/vitest"
import { HttpResponse } from "@letterhead/mcp/http/HttpResponse"
import * as Refusal from "@letterhead/mcp/failure/Refusal"
import * as LoopbackListener from "@letterhead/testing/LoopbackListener"
import * as RecordingServer from "@letterhead/testing/RecordingServer"
import * as Effect from "effect/Effect"
import { inspect } from "node:util"
import * as Requests from "./support/Requests.ts"
import * as SecureServer from "./support/SecureServer.ts"

const STATUSES = [301, 302, 303, 307, 308] as const

/** What the SDK sends: a call, the connection's own stream, one that is resumed, the end of a session. */
const KINDS = {
  POST: {},
  GET: { http: "GET" },
  "GET of a resumed stream": { http: "GET", lastEventId: "e-1" },
  DELETE: { http: "DELETE" }
} as const

/** Redirects everything to `location`. */
const redirecting = Effect.fnUntraced(function* (
  status: number,
  location: string,
  options: Omit<Requests.RequestsOptions, "url"> = {}
) {
  const seen: Array<string> = []
  const origin = yield* LoopbackListener.listen((request, response) => {
    seen.push(request.url ?? "")
    // As an event stream: the SDK would read what came as one.
    response.writeHead(status, { location, "content-type": "text/event-stream" }).end("data: x\n\n")
  })
  return { origin, seen, ...(yield* Requests.make({ url: `${origin}/mcp`, ...options })) }
})

describe("a redirect", () => {
  for (const [kind, options] of Object.entries(KINDS)) {
    for (const status of STATUSES) {
      it.live(`F43: of a ${kind} with ${status} to another origin is refused, and nothing goes there`, () =>
        Effect.gen(function* () {
          const elsewhere = yield* RecordingServer.make()
          const { asked, seen, send } = yield* redirecting(status, `${elsewhere.url}mcp?key=1`)
          const reason = yield* Effect.flip(send("tools/list", options))
          assert.deepInclude(reason, { _tag: "RedirectRefused", target: new URL(elsewhere.url).origin })
          assert.deepStrictEqual(yield* elsewhere.requests, [])
          assert.strictEqual(seen.length, 1)
          assert.deepStrictEqual(asked, { resolve: 1, challenge: 0 })
        })
      )

      it.live(`F44: of a ${kind} with ${status} to another scheme or with credentials is refused`, () =>
        Effect.gen(function* () {
          for (const target of [
            "file:///etc/passwd",
            "javascript:alert(1)",
            "https://127.0.0.1/mcp",
            "http://ada:canary@127.0.0.1/mcp",
            "//ada:canary@other.example/mcp"
          ]) {
            const { seen, send } = yield* redirecting(status, target)
            const reason = yield* Effect.flip(send("tools/list", options))
            assert.strictEqual(reason._tag, "RedirectRefused", target)
            assert.notInclude(inspect(reason, { depth: 10 }), "canary")
            assert.strictEqual(seen.length, 1)
          }
        })
      )

      it.live(`F46: of a ${kind} with ${status} to another path of the same origin is refused`, () =>
        Effect.gen(function* () {
          for (const target of ["/.well-known/oauth-protected-resource", "/mcp/", "/other", "../"]) {
            const { origin, seen, send } = yield* redirecting(status, target)
            const reason = yield* Effect.flip(send("tools/list", options))
            assert.deepInclude(reason, { _tag: "RedirectRefused", target: new URL(target, `${origin}/mcp`).href })
            assert.deepStrictEqual(seen, ["/mcp"])
          }
        })
      )
    }
  }

  it("F44: from https to http is refused, whatever the host", () => {
    const url = new URL("https://mcp.example/mcp")
    const head = { url: url.href, status: 307, statusText: "", fields: { location: "http://mcp.example/mcp" } }
    const refused = Refusal.redirect(new HttpResponse(head, null), "GET", url, [])
    assert.deepInclude(refused, { _tag: "RedirectRefused", target: "http://mcp.example" })
  })

  for (const [kind, options] of Object.entries(KINDS)) {
    it.live(`F44: of a ${kind} from https to http of the same host is refused, and nothing goes there`, () =>
      Effect.gen(function* () {
        const plain = yield* RecordingServer.make()
        for (const status of STATUSES) {
          const server = yield* SecureServer.answering(
            (response) => void response.writeHead(status, { location: `${plain.url}mcp` }).end()
          )
          const url = `${server.origin}/mcp`
          const { send } = yield* Requests.make({ url, authorities: SecureServer.AUTHORITY })
          const reason = yield* Effect.flip(send("tools/list", options))
          assert.deepInclude(reason, { _tag: "RedirectRefused", target: new URL(plain.url).origin })
          assert.strictEqual(server.seen.length, 1)
        }
        assert.deepStrictEqual(yield* plain.requests, [])
      })
    )
  }

  it.live("that keeps method, path and origin is left to the SDK, and is not followed here", () =>
    Effect.gen(function* () {
      const { seen, send } = yield* redirecting(307, "/mcp?node=2")
      assert.strictEqual((yield* send("tools/call")).status, 307)
      assert.deepStrictEqual(seen, ["/mcp"])
    })
  )
})

describe("headers", () => {
  const to = Effect.fnUntraced(function* (paths: "endpoint" | "origin", path: string, method = "POST") {
    const here = yield* RecordingServer.make()
    const { fetch } = yield* Requests.make({ url: new URL("/sse", here.url).href, paths })
    yield* Effect.promise(() => fetch(here.url.slice(0, -1) + path, { method }))
    const [request] = yield* here.requests
    return request?.headers.get("x-key")
  })

  it.live("F46: go to the endpoint alone, and over HTTP+SSE to each path that the server may name", () =>
    Effect.gen(function* () {
      for (const path of ["/sse", "/sse?session=1"]) {
        for (const paths of ["endpoint", "origin"] as const) {
          for (const method of ["GET", "POST", "DELETE"]) {
            assert.strictEqual(yield* to(paths, path, method), Requests.CANARY, `${paths} ${path}`)
          }
        }
      }
      for (const path of ["/messages?session=1", "/"]) {
        assert.isUndefined(yield* to("endpoint", path))
        assert.strictEqual(yield* to("origin", path), Requests.CANARY)
      }
      for (const path of [
        "/.well-known/oauth-protected-resource",
        "/.well-known",
        "/x/../.well-known/a",
        "/%2ewell-known/a",
        "//.Well-Known/a",
        "/%"
      ]) {
        assert.isUndefined(yield* to("endpoint", path), path)
        assert.isUndefined(yield* to("origin", path), path)
      }
    })
  )

  it.live("F43: do not go to another origin over HTTP+SSE either: no request does", () =>
    Effect.gen(function* () {
      const here = yield* RecordingServer.make()
      const elsewhere = yield* RecordingServer.make()
      const { fetch } = yield* Requests.make({ url: new URL("/sse", here.url).href, paths: "origin" })
      const failed = yield* Effect.flip(
        Effect.tryPromise({
          try: () => fetch(new URL("/messages", elsewhere.url), { method: "POST" }),
          catch: Requests.reasonOf
        })
      )
      assert.deepInclude(failed, { _tag: "RedirectRefused", target: new URL(elsewhere.url).origin })
      assert.deepStrictEqual(yield* elsewhere.requests, [])
    })
  )
})
