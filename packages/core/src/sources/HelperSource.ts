/**
 * The headers that an entry's helper prints.
 *
 * Run at connect and when the server refuses what was sent. The answer is good until its `expires`, less a margin;
 * `cache` decides whether a later connection of the same principal may use it.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { CallContext } from "../call/CallContext.ts"
import { HeaderError, type HeaderErrorReason, HeaderInvalid } from "../headers/HeaderError.ts"
import { foldName } from "../headers/HeaderField.ts"
import * as HeaderPatch from "../headers/HeaderPatch.ts"
import type { HelperOutput } from "../helper/HelperOutput.ts"
import { HelperRunner } from "../helper/HelperRunner.ts"
import { formatPlace, type Helper, type ServerEntry } from "../server/ServerEntry.ts"
import { type HeaderSource, Rank } from "./HeaderSource.ts"

export const ID = "helper"

/** At most so many milliseconds before `expires`, and at most this part of the lifetime, an answer is renewed. */
export const EXPIRY_MARGIN = 60_000
export const EXPIRY_MARGIN_PART = 0.1

/** Reasons that `onFailure: "static"` does not cover: nobody approved what would run. */
const NEVER_OVERLOOKED: ReadonlySet<HeaderErrorReason["_tag"]> = new Set([
  "NotTrusted",
  "TrustRefused",
  "TrustStoreFailed",
  "FileChanged"
])

interface Kept {
  readonly patch: HeaderPatch.HeaderPatch
  /** Epoch milliseconds until which a later connection may use it. */
  readonly until: number
}

/** The source; the runner holds what concerns the process. */
export const make: Effect.Effect<HeaderSource, never, HelperRunner> = Effect.gen(function* () {
  const runner = yield* HelperRunner
  // By entry and principal: what was printed for one principal is not another's.
  const kept = new WeakMap<ServerEntry, Map<string, Kept>>()

  const resolve = Effect.fnUntraced(function* (
    entry: ServerEntry,
    call: CallContext
  ): Effect.fn.Return<HeaderPatch.HeaderPatch, HeaderError> {
    const helper = entry.helper
    if (helper === undefined) return HeaderPatch.empty(ID, Rank.helper)
    const now = yield* Clock.currentTimeMillis
    const earlier = kept.get(entry)?.get(call.principal)
    if (earlier !== undefined && now < earlier.until) return earlier.patch

    const run = Effect.flatMap(runner.run(helper, entry), (output) => toPatch(entry, helper, output))
    const patch = yield* helper.onFailure === "fail" ? run : Effect.catch(run, (error) => withoutHelper(entry, error))
    const conflict = conflictWithOAuth(entry, helper, patch)
    if (conflict !== undefined) return yield* conflict
    const until = reusableUntil(helper, patch, yield* Clock.currentTimeMillis)
    if (until !== undefined) {
      const principals = kept.get(entry) ?? new Map<string, Kept>()
      kept.set(entry, principals.set(call.principal, { patch, until }))
    }
    return patch
  })

  return {
    id: ID,
    rank: Rank.helper,
    lifetime: "connection",
    applies: (entry) => entry.helper !== undefined,
    resolve,
    challenge: (entry, call) =>
      Effect.sync(() => {
        kept.get(entry)?.delete(call.principal)
        return entry.helper !== undefined
      })
  }
})

const toPatch = Effect.fnUntraced(function* (
  entry: ServerEntry,
  helper: Helper,
  output: HelperOutput
): Effect.fn.Return<HeaderPatch.HeaderPatch, HeaderError> {
  const declared = () => `${commandLine(helper)} · ${formatPlace(helper.place)}`
  const set: Array<HeaderPatch.SetField> = []
  for (const [name, value] of output.headers) {
    const field = HeaderPatch.setField(name, Redacted.value(value), declared)
    set.push(
      yield* Effect.fromResult(field).pipe(
        Effect.mapError((reason) => new HeaderError({ server: entry.name, source: ID, reason }))
      )
    )
  }
  const patch = { ...HeaderPatch.empty(ID, Rank.helper), set }
  if (output.expires === undefined) return patch
  const lifetime = output.expires - (yield* Clock.currentTimeMillis)
  return { ...patch, expiresAt: output.expires - Math.min(EXPIRY_MARGIN, Math.max(0, lifetime) * EXPIRY_MARGIN_PART) }
})

/** Where an entry says that somebody signs in, its helper cannot say who the caller is (design rule 1). */
const conflictWithOAuth = (entry: ServerEntry, helper: Helper, patch: HeaderPatch.HeaderPatch) => {
  const field = patch.set.find(({ name }) => foldName(name) === "authorization")
  if (entry.auth !== "oauth" || field === undefined) return undefined
  const rule =
    `the helper prints it, and ${formatPlace(entry.place)} says "auth": "oauth"; set "auth" to "none", ` +
    "or have the helper print no Authorization"
  const reason = new HeaderInvalid({ field: field.name, rule, place: helper.place })
  return new HeaderError({ server: entry.name, source: ID, reason })
}

const withoutHelper = (entry: ServerEntry, error: HeaderError) =>
  NEVER_OVERLOOKED.has(error.reason._tag)
    ? Effect.fail(error)
    : Effect.as(
        Effect.logWarning(`${error.message}; "onFailure" is "static": connecting "${entry.name}" without the helper`),
        HeaderPatch.empty(ID, Rank.helper)
      )

const reusableUntil = (helper: Helper, patch: HeaderPatch.HeaderPatch, now: number): number | undefined => {
  if (helper.cache === "never" || patch.set.length === 0) return undefined
  if (helper.cache === "expires") return patch.expiresAt
  const until = now + helper.cache * 1000
  return patch.expiresAt === undefined ? until : Math.min(until, patch.expiresAt)
}

/** The command as a person wrote it. */
export const commandLine = (helper: Helper): string =>
  typeof helper.command === "string" ? helper.command : helper.command.join(" ")
