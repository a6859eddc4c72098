/**
 * A process of its own that changes one secret and prints how that went.
 *
 * `keep.fixture.ts DIRECTORY SERVER set VALUE` sets it; `… count N` adds 1 to it N times; `… flood` sets long values for
 * ever, after it said "started"; `… renew VALUE` exchanges it through `modify`, and prints what it then holds.
 */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { layerFile, SecretStore } from "@letterhead/core/secrets/SecretStore"
import { key } from "@letterhead/testing/laws/SecretStoreLaws"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"

const [directory = "", server = "", verb = "", argument = ""] = process.argv.slice(2)
/** Characters of a value that takes the disk more than one write. */
const LONG = 200_000

const program = Effect.gen(function* () {
  const store = yield* SecretStore
  const own = key({ server })
  switch (verb) {
    case "set":
      yield* store.set(own, Redacted.make(argument))
      return "done"
    case "count":
      for (let index = 0; index < Number(argument); index++) {
        yield* store.modify(own, (current) => {
          const count = Option.match(current, { onNone: () => 0, onSome: (value) => Number(Redacted.value(value)) })
          return Effect.succeed([count, Option.some(Redacted.make(String(count + 1)))])
        })
      }
      return "done"
    case "flood":
      process.stdout.write("started\n")
      for (let index = 0; ; index = (index + 1) % 10) yield* store.set(own, Redacted.make(String(index).repeat(LONG)))
    case "renew": {
      yield* store.modify(own, () => Effect.succeed([undefined, Option.some(Redacted.make(argument))]))
      const held = yield* store.get(own)
      const [listed] = yield* store.list
      return `holds the new value: ${Option.isSome(held) && Redacted.value(held.value) === argument}, in ${listed?.keptIn}`
    }
    default:
      return "unknown verb"
  }
}).pipe(
  Effect.match({ onFailure: (error) => error.message, onSuccess: (said) => said }),
  Effect.provide(Layer.provide(layerFile({ directory }), NodeServices.layer))
)

process.stdout.write(await Effect.runPromise(program))
