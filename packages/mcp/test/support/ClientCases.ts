/** Tests of a runtime's own client: each client in each era that it speaks, with each kind of response. */
import { it } from "@effect/vitest"
import type { RecordedRequest } from "@letterhead/testing/RecordedRequest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Clients from "./Clients.ts"
import * as Harness from "./Harness.ts"

export const ADA = { principal: "ada" }
export const SESSIONS = ["one", "two", "three"]

export type Case = (typeof Clients.cases)[number]

/** A server, and a client of `ada` that is connected to it. */
export const open = Effect.fnUntraced(function* (options: Case & Partial<Harness.HarnessOptions>) {
  const harness = yield* Harness.make(options)
  return { ...harness, client: yield* Clients.connect(options.client, harness.transport, ADA) }
})

export const isCall = ({ rpcMethod }: RecordedRequest): boolean => rpcMethod === "tools/call"

export const isCancellation = ({ rpcMethod }: RecordedRequest): boolean => rpcMethod === "notifications/cancelled"

type Test = (options: Case) => Effect.Effect<void, unknown, Scope.Scope>

export const forEachCase = (title: string, test: Test, cases: ReadonlyArray<Case> = Clients.cases): void => {
  for (const options of cases) {
    it.live(`${title} (${options.client}, ${options.era}, ${options.responses})`, () => test(options))
  }
}

/** Where the server can say something before it answers. */
export const forEachTalk = (title: string, test: Test): void =>
  forEachCase(
    title,
    test,
    Clients.cases.filter(({ era, responses }) => era === "modern" || responses === "sse")
  )

/** Waits until no connection holds anything. */
export const nothingHeld = ({ correlations }: Pick<Harness.Harness, "correlations">): Effect.Effect<void> =>
  Harness.until(Effect.sync(() => correlations.every(({ size }) => size === 0)))
