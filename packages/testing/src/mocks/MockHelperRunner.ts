/**
 * A helper runner without processes: a function says what each helper prints.
 *
 * The layer also provides {@link MockHelperRunner}, which tells what ran. Concurrent callers are not joined; single
 * flight is the real runner's.
 */
import { HeaderError, type HeaderErrorReason } from "@letterhead/core/headers/HeaderError"
import type { HelperOutput } from "@letterhead/core/helper/HelperOutput"
import { HelperRunner } from "@letterhead/core/helper/HelperRunner"
import type { Helper, ServerEntry } from "@letterhead/core/server/ServerEntry"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"

/** What a helper prints, or why it failed. */
export type HelperAnswer =
  | {
      readonly headers: Readonly<Record<string, string>>
      /** Epoch milliseconds. */
      readonly expires?: number
    }
  | { readonly failure: HeaderErrorReason }

/** One run. */
export interface HelperRun {
  readonly server: string
  readonly helper: Helper
  /** Whether somebody asked for this very run. */
  readonly explicit: boolean
}

/** What the mock was asked to run. */
export class MockHelperRunner extends Context.Service<
  MockHelperRunner,
  {
    /** Every run, in order. */
    readonly runs: Effect.Effect<ReadonlyArray<HelperRun>>
  }
>()("@letterhead/testing/mocks/MockHelperRunner") {}

/** `print` is given the entry and the number of the run, from 1, counted per server. */
export const layer = (
  print: (entry: ServerEntry, run: number) => HelperAnswer
): Layer.Layer<HelperRunner | MockHelperRunner> =>
  Layer.effectContext(
    Effect.sync(() => {
      const runs: Array<HelperRun> = []
      const run: HelperRunner["Service"]["run"] = Effect.fnUntraced(function* (helper, entry, options) {
        runs.push({ server: entry.name, helper, explicit: options?.explicit ?? false })
        const answer = print(entry, runs.filter(({ server }) => server === entry.name).length)
        if ("failure" in answer) {
          return yield* new HeaderError({ server: entry.name, source: "helper", reason: answer.failure })
        }
        return outputOf(answer, yield* Clock.currentTimeMillis)
      })
      return Context.make(HelperRunner, HelperRunner.of({ run })).pipe(
        Context.add(MockHelperRunner, { runs: Effect.sync(() => [...runs]) })
      )
    })
  )

const outputOf = (answer: Exclude<HelperAnswer, { readonly failure: unknown }>, now: number): HelperOutput => ({
  headers: Object.entries(answer.headers).map(([name, value]) => [name, Redacted.make(value, { label: name })]),
  ...(answer.expires === undefined ? {} : { expires: answer.expires }),
  expired: answer.expires !== undefined && answer.expires <= now
})
