/**
 * A process of its own that makes calls with a sign-in it shares with others, and prints what became of them.
 *
 * `refresh.fixture.ts DIRECTORY URL MILLISECONDS`: one call after the other for so long; then one line of JSON with the
 * number of answers by status, and of failures by reason.
 * `refresh.fixture.ts DIRECTORY URL hold`: takes the lock of the sign-in, says "held", and never gives it back.
 */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { local } from "@letterhead/core/call/CallContext"
import type { HeaderError } from "@letterhead/core/headers/HeaderError"
import type { HeaderResolver } from "@letterhead/core/HeaderResolver"
import { layerFile, SecretStore } from "@letterhead/core/secrets/SecretStore"
import { layerNever } from "@letterhead/oauth/signin/SignIn"
import * as TokenRecord from "@letterhead/oauth/token/TokenRecord"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { layer, open, send, signedEntry } from "./support/Signing.ts"

const [directory = "", url = "", what = ""] = process.argv.slice(2)
const entry = signedEntry(url)
const outcomes: Record<string, number> = {}
/** Milliseconds between two calls: ten in each life of a token, so that all processes meet at each of its ends. */
const PAUSE = 100

const hold = Effect.gen(function* () {
  const store = yield* SecretStore
  const key = TokenRecord.keyOf(entry.name, new URL(url), local.principal)
  yield* store.modify(key, () =>
    Effect.andThen(
      Effect.sync(() => process.stdout.write("held\n")),
      Effect.never
    )
  )
})

const callUntil = (end: number) =>
  Effect.gen(function* () {
    const connection = yield* open(entry)
    while (Date.now() < end) {
      const outcome = yield* Effect.match(send(connection), {
        onSuccess: String,
        onFailure: ({ reason }) => reason._tag
      })
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1
      yield* Effect.sleep(PAUSE)
    }
    process.stdout.write(`${JSON.stringify(outcomes)}\n`)
  })

await Effect.runPromise(
  Effect.suspend((): Effect.Effect<void, HeaderError, SecretStore | HeaderResolver | Scope.Scope> =>
    what === "hold" ? hold : callUntil(Date.now() + Number(what))
  ).pipe(
    Effect.scoped,
    Effect.provide(layer({ store: Layer.provide(layerFile({ directory }), NodeServices.layer), signIn: layerNever }))
  )
)
