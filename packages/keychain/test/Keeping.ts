/** Stores over a keychain and a folder, and what is in them. */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert } from "@effect/vitest"
import { SecretStore } from "@letterhead/core/secrets/SecretStore"
import { layer, type StoreOptions } from "@letterhead/keychain/KeychainStore"
import { CANARY, key } from "@letterhead/testing/laws/SecretStoreLaws"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { bareEnvironment, temporaryDirectory } from "./SecretService.ts"

export const own = key({})

export const secret = (name: string) => Redacted.make(`${CANARY}-${name}`)

export type Environment = StoreOptions["environment"]

export const storeIn = (directory: string, environment: Environment, service = "letterhead-test") =>
  Layer.provide(layer({ service, environment: environment ?? {}, fallback: { directory } }), NodeServices.layer)

/** Runs against a store of its own; its answer, and what was logged. */
export const inStore = Effect.fnUntraced(function* <A, E>(
  directory: string,
  environment: Environment,
  use: (store: SecretStore["Service"]) => Effect.Effect<A, E>
) {
  const lines: Array<string> = []
  const logger = Logger.make<unknown, void>(({ message }) => void lines.push(String(message)))
  const answer = yield* Effect.flatMap(SecretStore, use).pipe(
    Effect.provide(Layer.merge(storeIn(directory, environment), Logger.layer([logger])))
  )
  assert.notInclude(lines.join("\n"), CANARY)
  return { answer, lines }
})

export const read = (store: SecretStore["Service"]) =>
  Effect.map(store.get(own), (value) => Option.getOrUndefined(Option.map(value, Redacted.value)))

/** What lies in the files of the fallback. */
export const filesOf = (directory: string): string =>
  readdirSync(directory)
    .map((name) => readFileSync(join(directory, name), "utf8"))
    .join("\n")

export const folder = Effect.map(temporaryDirectory, (home) => ({
  directory: join(home, "credentials"),
  bare: bareEnvironment(home)
}))
