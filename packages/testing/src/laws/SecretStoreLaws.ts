/**
 * What every secret store must do, whatever it keeps secrets in.
 *
 * Needs no test runner: each law is an effect that fails with {@link LawBroken} where the store breaks it. Laws use keys
 * of their own, so that all of them may run against one store, in any order. Clocks may stand still. Values are made
 * up, and begin with {@link CANARY}.
 */
import type { SecretKey } from "@letterhead/core/secrets/SecretKey"
import { SecretStore } from "@letterhead/core/secrets/SecretStore"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"

/** A store that does not do what its law says. */
export class LawBroken extends Data.TaggedError("LawBroken")<{ readonly expected: string; readonly actual: string }> {
  override get message(): string {
    return `expected ${this.expected}, and got ${this.actual}`
  }
}

export interface Law {
  /** A claim, as the name of a test. */
  readonly name: string
  readonly check: Effect.Effect<void, unknown, SecretStore>
}

/** How every value in these laws begins. */
export const CANARY = "canary-secret"
/** Changes made at the same time. */
const CONCURRENT = 20
/** Bytes of a large value, as an access token may have. */
const LARGE = 2_000

/** A key for tests; what is not said is the same each time. */
export const key = (facts: Partial<SecretKey>): SecretKey => ({
  principal: "local",
  origin: "https://mcp.example.com",
  server: "linear",
  field: "API_KEY",
  ...facts
})

/** Names that a store which builds paths or plain objects from them would confuse. */
const ODD_NAMES = [
  "../../x",
  "..",
  "",
  "__proto__",
  "a\0b",
  "a/b",
  "a\nb",
  "Linear-Twin",
  "linear-twin",
  "ü",
  "u\u0308",
  "x".repeat(300),
  `${"x".repeat(299)}y`
]

const expect = (holds: boolean, expected: string, actual: unknown): Effect.Effect<void, LawBroken> =>
  holds ? Effect.void : Effect.fail(new LawBroken({ expected, actual: JSON.stringify(actual) }))

const text = (value: Option.Option<Redacted.Redacted>): string | undefined =>
  Option.getOrUndefined(Option.map(value, Redacted.value))

const expectValue = (store: SecretStore["Service"], of: SecretKey, value: string | undefined) =>
  Effect.flatMap(store.get(of), (found) => expect(text(found) === value, `the value ${value}`, text(found)))

const secret = (name: string): Redacted.Redacted => Redacted.make(`${CANARY}-${name}`)

const law = (name: string, body: (store: SecretStore["Service"]) => Effect.Effect<void, unknown>): Law => ({
  name,
  check: Effect.flatMap(SecretStore, body)
})

export const laws: ReadonlyArray<Law> = [
  law(
    "what was never set is not there",
    Effect.fnUntraced(function* (store) {
      yield* expectValue(store, key({ server: "never" }), undefined)
    })
  ),
  law(
    "what was set is there, as it was set",
    Effect.fnUntraced(function* (store) {
      const of = key({ server: "set" })
      const value = `${CANARY} "ü\u{1f511}" \\ ${"x".repeat(LARGE)}`
      yield* store.set(of, Redacted.make(value))
      yield* expectValue(store, of, value)
      yield* store.set(of, secret("second"))
      yield* expectValue(store, of, `${CANARY}-second`)
    })
  ),
  law(
    "F81: a secret is found for its own principal, origin, server and field, and for no other",
    Effect.fnUntraced(function* (store) {
      const of = key({ server: "own" })
      yield* store.set(of, secret("own"))
      yield* expectValue(store, { ...of, principal: "ada" }, undefined)
      yield* expectValue(store, { ...of, origin: "https://evil.example.com" }, undefined)
      yield* expectValue(store, { ...of, origin: "http://mcp.example.com" }, undefined)
      yield* expectValue(store, { ...of, server: "owner" }, undefined)
      yield* expectValue(store, { ...of, field: "API_KEY2" }, undefined)
      yield* expectValue(store, { ...of, server: "ow", field: "nAPI_KEY" }, undefined)
      yield* expectValue(store, of, `${CANARY}-own`)
    })
  ),
  law(
    "F73: names of every kind are kept apart",
    Effect.fnUntraced(function* (store) {
      for (const name of ODD_NAMES)
        yield* store.set(key({ server: name, field: "odd" }), secret(`server ${name.length}`))
      for (const name of ODD_NAMES) yield* store.set(key({ server: "odd", field: name }), secret(`field ${name}`))
      for (const name of ODD_NAMES) {
        yield* expectValue(store, key({ server: name, field: "odd" }), `${CANARY}-server ${name.length}`)
        yield* expectValue(store, key({ server: "odd", field: name }), `${CANARY}-field ${name}`)
      }
      const listed = (yield* store.list).filter(({ field, server }) => field === "odd" || server === "odd")
      yield* expect(listed.length === 2 * ODD_NAMES.length, `${2 * ODD_NAMES.length} secrets`, listed)
    })
  ),
  law(
    "what was removed is not there, and can be removed once",
    Effect.fnUntraced(function* (store) {
      const of = key({ server: "removed" })
      const other = key({ server: "removed", field: "OTHER" })
      yield* store.set(of, secret("one"))
      yield* store.set(other, secret("two"))
      const answers = [yield* store.remove(of), yield* store.remove(of)]
      yield* expect(answers[0] === true && answers[1] === false, "true, then false", answers)
      yield* expectValue(store, of, undefined)
      yield* expectValue(store, other, `${CANARY}-two`)
      yield* store.set(of, secret("three"))
      yield* expectValue(store, of, `${CANARY}-three`)
    })
  ),
  law(
    "modify is given what is there, stores what it is given, and gives the answer",
    Effect.fnUntraced(function* (store) {
      const of = key({ server: "modified" })
      const replace = (next: Option.Option<Redacted.Redacted>) =>
        store.modify(of, (current) => Effect.succeed([text(current), next]))
      const answers = [
        yield* replace(Option.some(secret("one"))),
        yield* replace(Option.some(secret("two"))),
        yield* replace(Option.none()),
        yield* replace(Option.none())
      ]
      const expected = [undefined, `${CANARY}-one`, `${CANARY}-two`, undefined]
      yield* expect(JSON.stringify(answers) === JSON.stringify(expected), JSON.stringify(expected), answers)
      yield* expectValue(store, of, undefined)
    })
  ),
  law(
    "a change that fails changes nothing, and its error is the caller's",
    Effect.fnUntraced(function* (store) {
      const of = key({ server: "failing" })
      yield* store.set(of, secret("kept"))
      const error = yield* Effect.flip(store.modify(of, () => Effect.fail("no" as const)))
      yield* expect(error === "no", "the change's own error", error)
      yield* expectValue(store, of, `${CANARY}-kept`)
      yield* store.set(of, secret("later"))
      yield* expectValue(store, of, `${CANARY}-later`)
    })
  ),
  law(
    "changes made at the same time all count",
    Effect.fnUntraced(function* (store) {
      const of = key({ server: "counted" })
      const increment = store.modify(of, (current) =>
        Effect.gen(function* () {
          const count = Number(text(current) ?? "0")
          // Others get their chance between reading and writing.
          yield* Effect.yieldNow
          return [count, Option.some(Redacted.make(String(count + 1)))]
        })
      )
      const counts = yield* Effect.all(
        Array.from({ length: CONCURRENT }, () => increment),
        { concurrency: "unbounded" }
      )
      yield* expect(new Set(counts).size === CONCURRENT, `${CONCURRENT} different counts`, counts)
      yield* expectValue(store, of, String(CONCURRENT))
    })
  ),
  law(
    "the list holds every secret, says where each is kept, and holds no value",
    Effect.fnUntraced(function* (store) {
      const fields = ["A", "B", "C"]
      yield* Effect.forEach(fields, (field) => store.set(key({ server: "listed", field }), secret(field)))
      yield* store.remove(key({ server: "listed", field: "B" }))
      const all = yield* store.list
      const listed = all.filter(({ server }) => server === "listed")
      yield* expect(
        listed
          .map(({ field }) => field)
          .toSorted()
          .join() === "A,C",
        "A and C",
        listed
      )
      yield* expect(
        listed.every(({ keptIn }) => keptIn.length > 0),
        "a place for each",
        listed
      )
      yield* expect(!JSON.stringify(all).includes(CANARY), "no value", "a list with values")
    })
  )
]
