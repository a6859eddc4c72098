/** Where the proof of a bound token goes and where it does not, and what becomes of a key that was spoilt. */
import { assert, describe, it } from "@effect/vitest"
import { withCall } from "@letterhead/core/call/CallContext"
import { HeaderResolver } from "@letterhead/core/HeaderResolver"
import { CallHooks } from "@letterhead/core/sources/CallHooks"
import { entry } from "@letterhead/testing/EntryFixture"
import * as RecordingServer from "@letterhead/testing/RecordingServer"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { rmSync } from "node:fs"
import { join } from "node:path"
import * as Evidence from "../figures/Evidence.ts"
import * as BoundTokens from "./support/BoundTokens.ts"
import {
  OWNER,
  type Server,
  person,
  connect,
  echo,
  reasonOf,
  headersFailed,
  stored,
  proofsOf,
  post
} from "./support/BoundPerson.ts"

describe("a proof", () => {
  it.live("goes with no other Authorization, neither one below nor one above", () =>
    Effect.gen(function* () {
      const server = yield* BoundTokens.make()
      const { program } = yield* person(server)
      yield* Effect.scoped(echo).pipe(Effect.provide(program(), { local: true }))
      const before = server.seen.length
      const hook = { name: "other", run: () => Effect.succeed({ Authorization: "Bearer of-the-hook" }) }
      yield* Effect.gen(function* () {
        yield* reasonOf(Effect.scoped(echo))
        const headers = yield* (yield* HeaderResolver).explain(entry({ url: server.url }), {
          ...OWNER,
          method: "tools/call",
          callId: "c"
        })
        assert.notInclude(
          headers.map(({ name }) => name),
          "DPoP"
        )
      }).pipe(
        Effect.provide(
          Layer.provide(program({ headers: { authorization: "Bearer fixed" } }), Layer.succeed(CallHooks, [hook])),
          { local: true }
        )
      )
      assert.isAbove(server.seen.length, before)
      for (const { authorization, proof } of server.seen.slice(before)) {
        assert.include(["Bearer fixed", "Bearer of-the-hook"], authorization)
        assert.isUndefined(proof)
      }
    })
  )

  it.live("of a call whose hook takes another Authorization is not made, and those of its neighbours are", () =>
    Effect.gen(function* () {
      const server = yield* BoundTokens.make()
      const { program } = yield* person(server)
      const hook = {
        name: "other",
        run: (input: { readonly sessionID?: string }) =>
          Effect.succeed(input.sessionID === "hooked" ? { Authorization: "Bearer of-the-hook" } : {})
      }
      yield* Effect.gen(function* () {
        const connection = yield* connect
        const call = (sessionId: string) => withCall(connection.callTool("echo", {}), { ...OWNER, sessionId })
        const before = server.seen.length
        yield* Effect.all([call("one"), Effect.flip(call("hooked")), call("two")], { concurrency: "unbounded" })
        for (const { authorization, proof } of server.seen.slice(before)) {
          assert.strictEqual(proof === undefined, authorization === "Bearer of-the-hook")
        }
      }).pipe(
        Effect.scoped,
        Effect.provide(Layer.provide(program(), Layer.succeed(CallHooks, [hook])), { local: true })
      )
      assert.deepStrictEqual(server.violations, [])
    })
  )

  it.live("takes the place of what another source says of its field", () =>
    Effect.gen(function* () {
      const server = yield* BoundTokens.make()
      const { program } = yield* person(server)
      const hook = { name: "other", run: () => Effect.succeed({ DPoP: "of-the-hook" }) }
      yield* Effect.scoped(echo).pipe(
        Effect.provide(Layer.provide(program({ headers: { dpop: "fixed" } }), Layer.succeed(CallHooks, [hook])))
      )
      assert.deepStrictEqual(server.violations, [])
      assert.isAbove(proofsOf(server).length, 0)
    })
  )

  it.live("goes nowhere else: a redirect is refused", () =>
    Effect.gen(function* () {
      const elsewhere = yield* RecordingServer.make()
      const server = yield* BoundTokens.make()
      const { program } = yield* person(server)
      yield* Effect.gen(function* () {
        const connection = yield* connect
        server.settings.answer = (_, response) => response.writeHead(307, { location: `${elsewhere.url}mcp` }).end()
        const reason = yield* reasonOf(withCall(connection.callTool("echo", {}), OWNER))
        assert.strictEqual(reason._tag, "RedirectRefused")
        assert.deepStrictEqual(yield* elsewhere.requests, [])
      }).pipe(Effect.scoped, Effect.provide(program()))
    })
  )

  it.live("F50, F83: is in nothing that is let out, nor is the key, whatever the server repeats of it", () =>
    Effect.gen(function* () {
      const server = yield* BoundTokens.make("modern", { nonce: "demanded", tokenNonce: true })
      const { folder, program } = yield* person(server)
      const evidence = yield* Evidence.make
      const secrets: Array<string> = []
      yield* Effect.gen(function* () {
        const connection = yield* connect
        const call = withCall(connection.callTool("echo", {}), OWNER)
        yield* evidence.observe("a call", call)
        const { record } = yield* stored(server)
        assert.isTrue(record?._tag === "SignedIn")
        if (record?._tag !== "SignedIn" || record.proofKey === undefined) return
        yield* evidence.observe("a record", Effect.succeed(record))
        secrets.push(Redacted.value(record.proofKey.secret))
        for (const status of [401, 403, 500, 404]) {
          server.settings.answer = ({ authorization, proof }, response) => {
            secrets.push(proof ?? "")
            const text = `${String(authorization)} ${String(proof)}`
            response
              .writeHead(status, {
                "content-type": "application/json",
                "dpop-nonce": "again",
                "www-authenticate": `DPoP error="use_dpop_nonce", error_description="${text}"`
              })
              .end(JSON.stringify({ error: "no", error_description: text, message: text }))
          }
          yield* evidence.observe(`a ${status}`, call)
        }
        yield* evidence.observe(
          "headers",
          Effect.flatMap(HeaderResolver, (resolver) => resolver.explain(entry({ url: server.url }), OWNER))
        )
      }).pipe(Effect.scoped, Effect.provide(program()))
      assert.isAtLeast(secrets.length, 5)
      assert.isTrue(secrets.every((secret) => secret.length > 20))
      yield* Effect.sync(() => rmSync(join(folder, "credentials"), { recursive: true }))
      yield* evidence.keepFiles(folder)
      assert.deepStrictEqual(evidence.find(secrets), [])
      assert.isAbove(evidence.counts().error, 3)
    })
  )
})

describe("a stored key", () => {
  const broken = {
    "is missing": () => undefined,
    "is no key": () => "a key",
    "is of another form": () => ({ kty: "RSA", n: "AQAB", e: "AQAB", d: "AQAB", alg: "RS256" }),
    "is half a key": () => ({ kty: "EC", crv: "P-256", x: "AQAB", y: "AQAB", alg: "ES256" }),
    "has too large a number": (key: unknown) => ({ ...objectOf(key), d: "A".repeat(10_000) })
  }
  for (const [how, change] of Object.entries(broken)) {
    it.live(`that ${how} ends the sign-in: nothing is sent with the token, and the error says what to do`, () =>
      Effect.gen(function* () {
        const server = yield* BoundTokens.make()
        const { program } = yield* person(server)
        yield* spoilt(server, change).pipe(Effect.provide(program(), { local: true }))
        const before = server.seen.length
        const reason = yield* Effect.flip(post(server)).pipe(Effect.provide(program(), { local: true }))
        assert.include(headersFailed(reason), "the key that its token is bound to is missing or broken")
        assert.include(headersFailed(reason), "letterhead login example")
        assert.isTrue(server.seen.slice(before).every(({ authorization }) => authorization === undefined))
        yield* Effect.scoped(echo).pipe(Effect.provide(program(), { local: true }))
        assert.deepStrictEqual(server.violations, [])
      })
    )
  }

  it.live("that is none on its curve ends the request before it is sent, with an error that says what to do", () =>
    Effect.gen(function* () {
      const server = yield* BoundTokens.make()
      const { program } = yield* person(server)
      yield* spoilt(server, offCurve).pipe(Effect.provide(program(), { local: true }))
      const before = server.seen.length
      const reason = yield* Effect.flip(post(server)).pipe(Effect.provide(program(), { local: true }))
      assert.include(headersFailed(reason), "the key that the token is bound to cannot be used")
      assert.include(headersFailed(reason), "letterhead login example")
      assert.strictEqual(server.seen.length, before)
      yield* Effect.scoped(echo).pipe(Effect.provide(program(), { local: true }))
      assert.deepStrictEqual(server.violations, [])
    })
  )
})

/** Signs in, and changes the key of what is stored. */
const spoilt = (server: Server, change: (key: unknown) => unknown) =>
  Effect.gen(function* () {
    yield* echo
    const { key, store, value } = yield* stored(server)
    const record = objectOf(JSON.parse(Option.isSome(value) ? Redacted.value(value.value) : ""))
    assert.include(Object.keys(record), "proofKey")
    const spoilt = { ...record, proofKey: change(Object.entries(record).find(([name]) => name === "proofKey")?.[1]) }
    yield* store.set(key, Redacted.make(JSON.stringify(spoilt)))
  }).pipe(Effect.scoped)

const offCurve = (key: unknown) => ({ ...objectOf(key), x: "AQAB", y: "AQAB", d: "AQAB" })

const objectOf = (value: unknown): object => (typeof value === "object" && value !== null ? value : {})
