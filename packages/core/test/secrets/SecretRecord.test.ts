import { assert, it } from "@effect/vitest"
import { newest, nextGeneration, type SecretRecord } from "@letterhead/core/secrets/SecretRecord"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"

const RUNS = { arbitrary: { runs: 1_000 } } as const

const record = (generation: number | null): Option.Option<SecretRecord> =>
  generation === null
    ? Option.none()
    : Option.some({
        key: { principal: "local", origin: "https://mcp.example.com", server: "example", field: "API_KEY" },
        generation,
        content: { _tag: "Value", value: Redacted.make("value") }
      })

const Generation = Schema.NullOr(Schema.Literals([0, 1, 2, 1_900_000_000_000]))

it.prop(
  "F71: of several places the greatest generation counts, in whatever order they are asked; of two equal ones the first",
  { generations: Schema.Array(Generation) },
  ({ generations }) => {
    const records = generations.map(record)
    const counted = records.reduce(newest, Option.none())
    const greatest = generations.reduce<number | null>(
      (most, one) => (one !== null && (most === null || one > most) ? one : most),
      null
    )
    assert.strictEqual(
      Option.getOrUndefined(counted),
      records.flatMap(Option.toArray).find(({ generation }) => generation === greatest)
    )
    const backwards = records.toReversed().reduce(newest, Option.none())
    assert.strictEqual(Option.getOrUndefined(backwards)?.generation, greatest ?? undefined)
    // In pairs or one after the other.
    const half = Math.floor(records.length / 2)
    const paired = newest(
      records.slice(0, half).reduce(newest, Option.none()),
      records.slice(half).reduce(newest, Option.none())
    )
    assert.strictEqual(Option.getOrUndefined(paired), Option.getOrUndefined(counted))
  },
  RUNS
)

it.prop(
  "a change is newer than what it changes, whatever the clock says",
  { generation: Generation, now: Schema.Literals([0, 1, 5, 1_800_000_000_000]) },
  ({ generation, now }) => {
    const next = nextGeneration(record(generation), now)
    assert.isAtLeast(next, now)
    assert.isTrue(generation === null || next > generation)
  },
  RUNS
)
