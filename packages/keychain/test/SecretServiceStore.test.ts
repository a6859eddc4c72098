/** The keychain over a real Secret Service. */
import { assert, describe, it } from "@effect/vitest"
import { HeaderError, SecretStoreFailed } from "@letterhead/core/headers/HeaderError"
import { read as readOf } from "@letterhead/keychain/Keychain"
import { KEYCHAIN } from "@letterhead/keychain/KeychainStore"
import { CANARY, key, laws } from "@letterhead/testing/laws/SecretStoreLaws"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { type SecretService, start, unavailable } from "./SecretService.ts"
import { own, secret, type Environment, storeIn, inStore, read, filesOf, folder } from "./Keeping.ts"

const failureOf = (error: unknown): string => {
  if (!(error instanceof HeaderError) || !(error.reason instanceof SecretStoreFailed)) {
    throw new Error(`not a failure of the store: ${String(error)}`)
  }
  return error.message
}

/** A service and a folder of its own for `body`. */
const withService = <A, E>(
  body: (
    service: SecretService,
    directory: string,
    bare: Readonly<Record<string, string>>
  ) => Effect.Effect<A, E, Scope.Scope>
) =>
  Effect.gen(function* () {
    const service = yield* start
    const { bare, directory } = yield* folder
    return yield* body(service, directory, bare)
  })

describe.skipIf(unavailable !== undefined)("with a Secret Service", () => {
  it.live("every law of a secret store holds", () =>
    withService(({ environment }, directory) =>
      Effect.forEach(laws, ({ check, name }) =>
        Effect.mapError(Effect.provide(check, storeIn(directory, environment)), (cause) => ({ law: name, cause }))
      )
    )
  )

  it.live(
    "a secret is in the keychain and not in a file, and the platform's own tool finds it by the server's name",
    () =>
      withService(
        Effect.fnUntraced(function* ({ environment, tool }, directory) {
          const { answer, lines } = yield* inStore(directory, environment, (store) =>
            Effect.andThen(store.set(own, secret("one")), store.list)
          )
          assert.deepStrictEqual(answer, [{ ...own, keptIn: KEYCHAIN }])
          assert.deepStrictEqual(lines, [])
          assert.notInclude(filesOf(directory), CANARY)
          const found = yield* tool("secret-tool", ["search", "--all", "service", "letterhead-test"])
          assert.include(found, `${CANARY}-one`)
          assert.match(found, /attribute\.username = linear API_KEY https:\/\/mcp\.example\.com #/)
          assert.strictEqual(found.match(/^secret = /gm)?.length, 1, "the probe leaves nothing")
          assert.strictEqual((yield* inStore(directory, environment, read)).answer, `${CANARY}-one`)
        })
      )
  )

  it.live(
    "F71: a value that was saved in a file while the keychain was away counts, and what the keychain had does not",
    () =>
      withService(
        Effect.fnUntraced(function* ({ environment, tool }, directory, bare) {
          const valueWith = (of: Environment) => Effect.map(inStore(directory, of, read), ({ answer }) => answer)
          const set = (of: Environment, name: string) => inStore(directory, of, (store) => store.set(own, secret(name)))
          yield* set(environment, "one")
          yield* set(bare, "two")
          assert.strictEqual(yield* valueWith(bare), `${CANARY}-two`)
          assert.strictEqual(yield* valueWith(environment), `${CANARY}-two`)
          yield* set(environment, "three")
          assert.strictEqual(yield* valueWith(environment), `${CANARY}-three`)
          assert.notInclude(filesOf(directory), CANARY)
          assert.include(yield* tool("secret-tool", ["search", "service", "letterhead-test"]), `${CANARY}-three`)
        })
      )
  )

  it.live("F71: what the keychain holds and cannot give is an error, not an absent secret", () =>
    withService(
      Effect.fnUntraced(function* ({ environment }, directory, bare) {
        yield* inStore(directory, environment, (store) => store.set(own, secret("one")))
        const { answer } = yield* inStore(directory, bare, (store) => Effect.flip(store.get(own)))
        const said = failureOf(answer)
        assert.include(said, "cannot be reached now; unlock it")
        assert.include(said, "letterhead credential set linear API_KEY")
      })
    )
  )

  it.live(
    "F71, F78: what was removed while the keychain was away is not used again, and the error says what remains",
    () =>
      withService(
        Effect.fnUntraced(function* ({ environment, tool }, directory, bare) {
          yield* inStore(directory, environment, (store) => store.set(own, secret("one")))
          const { answer } = yield* inStore(directory, bare, (store) => Effect.flip(store.remove(own)))
          assert.include(failureOf(answer), "still holds API_KEY")
          assert.include(yield* tool("secret-tool", ["search", "service", "letterhead-test"]), `${CANARY}-one`)
          const later = yield* inStore(directory, environment, (store) => Effect.all([read(store), store.list]))
          assert.deepStrictEqual(later.answer, [undefined, []])
          yield* inStore(directory, environment, (store) => store.set(own, secret("two")))
          assert.strictEqual((yield* inStore(directory, environment, read)).answer, `${CANARY}-two`)
        })
      )
  )

  it.live("F71: a keychain that dies while it is in use is replaced by files at once, with one warning", () =>
    withService(
      Effect.fnUntraced(function* ({ environment, kill }, directory) {
        const { answer, lines } = yield* inStore(directory, environment, (store) =>
          Effect.gen(function* () {
            yield* store.set(own, secret("one"))
            yield* kill
            yield* store.set(own, secret("two"))
            yield* store.set(key({ field: "OTHER" }), secret("three"))
            return { value: yield* read(store), list: yield* store.list }
          })
        )
        assert.strictEqual(answer.value, `${CANARY}-two`)
        assert.deepStrictEqual(new Set(answer.list.map(({ keptIn }) => keptIn)), new Set([directory]))
        assert.strictEqual(lines.length, 1, lines.join("\n"))
      })
    )
  )

  it.live("F70: a locked keychain counts as not there, not as empty", () =>
    withService(
      Effect.fnUntraced(function* ({ environment, lock }, directory) {
        yield* inStore(directory, environment, (store) => store.set(own, secret("one")))
        yield* lock
        const { answer, lines } = yield* inStore(directory, environment, (store) =>
          Effect.gen(function* () {
            const error = yield* Effect.flip(store.get(own))
            yield* store.set(key({ field: "OTHER" }), secret("two"))
            return { error, list: yield* store.list }
          })
        )
        assert.include(failureOf(answer.error), "cannot be reached now")
        assert.deepStrictEqual(
          new Set(answer.list.map(({ field, keptIn }) => `${field} ${keptIn}`)),
          new Set([`API_KEY ${KEYCHAIN}`, `OTHER ${directory}`])
        )
        assert.strictEqual(lines.length, 1, lines.join("\n"))
      })
    )
  )

  it.live("what a person took out with the keychain's own tool is not set", () =>
    withService(
      Effect.fnUntraced(function* ({ environment, tool }, directory) {
        yield* inStore(directory, environment, (store) => store.set(own, secret("one")))
        yield* tool("secret-tool", ["clear", "service", "letterhead-test"])
        const { answer, lines } = yield* inStore(directory, environment, read)
        assert.strictEqual(answer, undefined)
        assert.deepStrictEqual(lines, [])
      })
    )
  )

  it.live("what another program keeps is read as it is, and nothing is written beside it", () =>
    withService(
      Effect.fnUntraced(function* ({ environment, tool }) {
        const attributes = ["service", "another-program", "username", "notes", "target", "default"]
        yield* tool("secret-tool", ["store", "--label=other", ...attributes], `${CANARY} of another`)
        const found = yield* readOf({ service: "another-program", environment }, "notes")
        assert.strictEqual(Option.getOrUndefined(Option.map(found, Redacted.value)), `${CANARY} of another`)
        const absent = yield* readOf({ service: "another-program", environment }, "other")
        assert.isTrue(Option.isNone(absent))
        const all = yield* tool("secret-tool", ["search", "--all", "service", "another-program"])
        assert.lengthOf(all.match(/^label = /gm) ?? [], 1)
      })
    )
  )

  it.live("what somebody else put in the secret's place is not used, and not shown", () =>
    withService(
      Effect.fnUntraced(function* ({ environment, tool }, directory) {
        yield* inStore(directory, environment, (store) => store.set(own, secret("one")))
        const found = yield* tool("secret-tool", ["search", "--all", "service", "letterhead-test"])
        const attributes = [...found.matchAll(/^attribute\.(\S+) = (.*)$/gm)].flatMap(([, name = "", value = ""]) => [
          name,
          value
        ])
        yield* tool("secret-tool", ["store", "--label=other", ...attributes], `${CANARY} by hand`)
        const { answer, lines } = yield* inStore(directory, environment, read)
        assert.strictEqual(answer, undefined)
        assert.strictEqual(lines.length, 1)
        assert.include(lines[0], "was not stored by letterhead")
      })
    )
  )
})
