/** A store in a folder, a secret in it, and what is said of it. */
import { join } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert } from "@effect/vitest"
import { hash } from "@letterhead/core/secrets/SecretKey"
import { layerFile, SecretStore } from "@letterhead/core/secrets/SecretStore"
import { CANARY, key } from "@letterhead/testing/laws/SecretStoreLaws"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { temporaryDirectory } from "../trust/Workspace.ts"

export const own = key({})

export const secret = Redacted.make(`${CANARY}-1`)

export const layerIn = (directory: string) => Layer.provide(layerFile({ directory }), NodeServices.layer)

export const inStore = <A, E>(directory: string, use: (store: SecretStore["Service"]) => Effect.Effect<A, E>) =>
  Effect.flatMap(SecretStore, use).pipe(Effect.provide(layerIn(directory)))

export const valueIn = (directory: string, of = own) =>
  Effect.map(
    inStore(directory, (store) => store.get(of)),
    (value) => Option.getOrUndefined(Option.map(value, Redacted.value))
  )

/** A store that keeps one secret, and the file it is in. */
export const storeWithSecret = Effect.gen(function* () {
  const directory = join(yield* temporaryDirectory, "credentials")
  yield* inStore(directory, (store) => store.set(own, secret))
  return { directory, file: join(directory, `${yield* hash(own)}.json`) }
})

/** Runs with every log line kept; fails where a secret is in one. */
export const logged = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const lines: Array<string> = []
    const logger = Logger.make<unknown, void>(
      ({ logLevel, message }) => void lines.push(`${logLevel} ${String(message)}`)
    )
    const answer = yield* Effect.provide(effect, Logger.layer([logger]))
    assert.notInclude(lines.join("\n"), CANARY)
    return { answer, lines }
  })
