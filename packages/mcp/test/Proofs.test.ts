/** What proves the key of a token: made anew for each request, told of each answer, and sent to nobody else. */
import { assert, describe, it } from "@effect/vitest"
import { HeaderError, SignInRequired } from "@letterhead/core/headers/HeaderError"
import * as HeaderPatch from "@letterhead/core/headers/HeaderPatch"
import type { RequestProof } from "@letterhead/core/headers/RequestProof"
import { merge } from "@letterhead/core/headers/ResolvedHeaders"
import { RequestObserver, type SentRequest } from "@letterhead/mcp/McpTransport"
import { Call } from "@letterhead/mcp/call/Call"
import * as LoopbackListener from "@letterhead/testing/LoopbackListener"
import * as RecordingServer from "@letterhead/testing/RecordingServer"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { IncomingMessage, ServerResponse } from "node:http"
import { inspect } from "node:util"
import * as Requests from "./support/Requests.ts"

const TOKEN = "Bound canary-token"

interface Seen {
  readonly method: string
  readonly authorization: string | undefined
  readonly proof: string | undefined
}

/** A server that answers as a test says, and what goes to it: a token, with proofs that are counted. */
const make = Effect.fnUntraced(function* (
  answer: (request: IncomingMessage, response: ServerResponse, count: number) => void,
  proof: Partial<RequestProof> = {},
  options: Omit<Requests.RequestsOptions, "url"> = {}
) {
  const seen: Array<Seen> = []
  const answers: Array<readonly [status: number, nonce: string | undefined]> = []
  let made = 0
  const origin = yield* LoopbackListener.listen((request, response) => {
    const { authorization, proof: sent } = request.headers
    seen.push({ method: request.method ?? "", authorization, proof: typeof sent === "string" ? sent : undefined })
    answer(request, response, seen.length)
  })
  const headers = Result.getOrThrow(
    merge([
      {
        ...HeaderPatch.empty("oauth", 400),
        generation: 1,
        set: [fieldOf("Authorization", TOKEN)],
        proof: {
          prove: ({ method, url }) =>
            Effect.sync(() => [fieldOf("Proof", `canary ${method} ${url.pathname}${url.search} ${(made += 1)}`)]),
          answered: (_, answer) => {
            const nonce = answer.field("nonce")
            answers.push([answer.status, nonce])
            return answer.status === 401 && nonce !== undefined
          },
          ...proof
        }
      }
    ])
  )
  let renewals = 0
  const requests = yield* Requests.make({
    url: `${origin}/mcp?tenant=a`,
    ...options,
    headers: {
      resolve: () => Effect.succeed(headers),
      challenge: () => Effect.sync(() => ((renewals += 1), "retry" as const)),
      ...options.headers
    }
  })
  /** Sends something that is no message, as a call. */
  const post = (call: Call, own: Record<string, string> = {}) =>
    Effect.tryPromise({
      try: () => requests.fetchFor(call)(`${origin}/mcp?tenant=a`, { method: "POST", headers: own, body: "{}" }),
      catch: Requests.reasonOf
    })
  return { ...requests, origin, post, seen, answers, renewals: () => renewals }
})

const fieldOf = (name: string, value: string) =>
  Result.getOrThrow(HeaderPatch.setField(name, value, "signed in somewhere"))

const ok = (response: ServerResponse, headers: Record<string, string> = {}) =>
  response.writeHead(200, { "content-type": "application/json", ...headers }).end("{}")

const nonce = (response: ServerResponse, body = "{}") => response.writeHead(401, { nonce: "n-1" }).end(body)

describe("a proof", () => {
  it.live("is made anew for each request, whatever it is, for the URL that it goes to", () =>
    Effect.gen(function* () {
      const { seen, send } = yield* make((_, response) => ok(response))
      yield* send("tools/call")
      yield* send("tools/call")
      yield* send("", { http: "GET" })
      yield* send("", { http: "DELETE" })
      assert.deepStrictEqual(
        seen.map(({ authorization, proof }) => [authorization, proof]),
        [
          [TOKEN, "canary POST /mcp?tenant=a 1"],
          [TOKEN, "canary POST /mcp?tenant=a 2"],
          [TOKEN, "canary GET /mcp?tenant=a 3"],
          [TOKEN, "canary DELETE /mcp?tenant=a 4"]
        ]
      )
    })
  )

  it.live("is told of each answer, also of one that is no refusal", () =>
    Effect.gen(function* () {
      const { answers, send } = yield* make((_, response, count) =>
        count === 1 ? ok(response, { nonce: "n-0" }) : response.writeHead(404).end()
      )
      yield* send("tools/call")
      yield* send("tools/call")
      assert.deepStrictEqual(answers, [
        [200, "n-0"],
        [404, undefined]
      ])
    })
  )

  it.live("that alone is refused is made anew, once; no source is asked for another credential", () =>
    Effect.gen(function* () {
      const { call, post, renewals, seen } = yield* make((_, response, count) =>
        count === 1 ? nonce(response) : ok(response)
      )
      assert.strictEqual((yield* post(call("one"))).status, 200)
      assert.deepStrictEqual(
        seen.map(({ proof }) => proof),
        ["canary POST /mcp?tenant=a 1", "canary POST /mcp?tenant=a 2"]
      )
      assert.strictEqual(renewals(), 0)
    })
  )

  it.live("that is refused again is the caller's; nothing that was sent is shown", () =>
    Effect.gen(function* () {
      const { renewals, seen, send } = yield* make((request, response) =>
        nonce(response, `no: ${String(request.headers["proof"])}, ${String(request.headers.authorization)}`)
      )
      const reason = yield* Effect.flip(send("tools/call"))
      assert.strictEqual(reason._tag, "Unauthorized")
      assert.strictEqual(seen.length, 2)
      assert.strictEqual(renewals(), 0)
      assert.include(inspect(reason), "no: ***, ***")
      assert.notInclude(inspect(reason, { depth: 10 }), "canary")
    })
  )

  it.live("takes nothing from the one renewal of a credential, before it or after it", () =>
    Effect.gen(function* () {
      for (const order of ["proof first", "token first"]) {
        const { renewals, seen, send } = yield* make((_, response, count) => {
          if (count > 2) return ok(response)
          return (count === 1) === (order === "proof first") ? nonce(response) : response.writeHead(401).end()
        })
        assert.strictEqual((yield* send("tools/call")).status, 200)
        assert.deepStrictEqual([seen.length, renewals()], [3, 1])
        assert.strictEqual(new Set(seen.map(({ proof }) => proof)).size, 3)
      }
    })
  )

  it.live("is another one where a request is repeated", () =>
    Effect.gen(function* () {
      const { seen, send } = yield* make((_, response, count) =>
        count === 1 ? response.writeHead(503).end() : ok(response)
      )
      yield* send("tools/list")
      assert.strictEqual(new Set(seen.map(({ proof }) => proof)).size, 2)
    })
  )

  it.live("is shown to an observer, redacted", () =>
    Effect.gen(function* () {
      const { owner, post } = yield* make((_, response, count) => (count === 1 ? nonce(response) : ok(response)))
      const sent: Array<SentRequest> = []
      const services = Context.make(RequestObserver, (request: SentRequest) => void sent.push(request))
      yield* post(new Call({ principal: "ada" }, Context.merge(owner.services, services)))
      assert.deepStrictEqual(
        sent.map(({ attempt, headers }) => [attempt, headers.has("proof")]),
        [
          [1, true],
          [2, true]
        ]
      )
      assert.notInclude(inspect(sent, { depth: 10 }), "canary")
    })
  )

  it.live("that cannot be made is the caller's error, and nothing is sent", () =>
    Effect.gen(function* () {
      const error = new HeaderError({ reason: new SignInRequired({ server: "example", description: "no key" }) })
      const { seen, send } = yield* make((_, response) => ok(response), { prove: () => Effect.fail(error) })
      const reason = yield* Effect.flip(send("tools/call"))
      assert.isTrue(reason._tag === "HeadersFailed" && reason.error === error)
      assert.deepStrictEqual(seen, [])
    })
  )

  it.live("F82: of a call that ended while it was made is not sent", () =>
    Effect.gen(function* () {
      const abort = new AbortController()
      const { seen, send } = yield* make((_, response) => ok(response), {
        prove: () =>
          Effect.as(
            Effect.delay(
              Effect.sync(() => abort.abort(new Error("over"))),
              10
            ),
            []
          )
      })
      const exit = yield* Effect.exit(send("tools/call", { signal: abort.signal }))
      assert.strictEqual(exit._tag, "Failure")
      assert.deepStrictEqual(seen, [])
    })
  )
})

describe("no proof of ours", () => {
  it.live("goes with an Authorization of the caller's own", () =>
    Effect.gen(function* () {
      const { answers, call, post, seen } = yield* make((_, response) => nonce(response))
      const reason = yield* Effect.flip(post(call("one"), { authorization: "Bearer of-the-caller" }))
      assert.strictEqual(reason._tag, "Unauthorized")
      assert.deepStrictEqual(
        seen.map(({ authorization, proof }) => [authorization, proof]),
        [
          ["Bearer of-the-caller", undefined],
          ["Bearer of-the-caller", undefined]
        ]
      )
      assert.deepStrictEqual(answers, [])
    })
  )

  it.live("F43: goes across a redirect, nor to another path", () =>
    Effect.gen(function* () {
      const elsewhere = yield* RecordingServer.make()
      const { fetch, origin, seen, send } = yield* make((request, response) =>
        request.url?.startsWith("/mcp") === true
          ? response.writeHead(307, { location: `${elsewhere.url}mcp` }).end()
          : ok(response)
      )
      assert.strictEqual((yield* Effect.flip(send("tools/call")))._tag, "RedirectRefused")
      assert.deepStrictEqual(yield* elsewhere.requests, [])
      yield* Effect.promise(() => fetch(`${origin}/.well-known/oauth-protected-resource`))
      assert.deepStrictEqual(
        seen.map(({ proof }) => proof),
        ["canary POST /mcp?tenant=a 1", undefined]
      )
    })
  )
})
