/**
 * Which entry of a name counts: the whole entry wins, in the order of the documents, with one exception (design rule
 * 7): a project entry does not take the place of the person's own entry of that name unless that was approved. It may
 * need no trust for anything it does, such as a plain URL, and would still receive calls meant for another server.
 *
 * An entry that was skipped keeps its place: another of its name, written by somebody else, does not step in for it.
 */
import type { ShadowedServer } from "@letterhead/core/server/McpConfig"
import type { OriginScope, ServerEntry } from "@letterhead/core/server/ServerEntry"
import * as Effect from "effect/Effect"
import type { ServerReading } from "./Dialect.ts"

/** Whether a project entry may take the place of the person's own. */
export type Approved = (entry: ServerEntry) => Effect.Effect<boolean>

export interface Decided {
  /** One per name. */
  readonly winners: ReadonlyArray<ServerReading>
  readonly shadowed: ReadonlyArray<ShadowedServer>
}

/** Decides over readings in order of precedence. */
export const decide = Effect.fnUntraced(function* (
  readings: ReadonlyArray<ServerReading>,
  approved: Approved
): Effect.fn.Return<Decided> {
  const byName = new Map<string, Array<ServerReading>>()
  for (const reading of readings) {
    const same = byName.get(reading.name)
    if (same === undefined) byName.set(reading.name, [reading])
    else same.push(reading)
  }
  const winners: Array<ServerReading> = []
  const shadowed: Array<ShadowedServer> = []
  for (const [name, same] of byName) {
    const held = yield* heldBack(same, approved)
    const winner = same.find((reading) => !held.has(reading))
    if (winner === undefined) continue
    winners.push(winner)
    for (const reading of same) {
      if (reading === winner) continue
      shadowed.push({
        name,
        place: reading.place,
        by: winner.place,
        ...(held.has(reading) ? { reason: NOT_APPROVED } : {})
      })
    }
  }
  return { winners, shadowed }
})

const NOT_APPROVED =
  "an entry of a project does not replace your own of the same name without your approval; " +
  "rename one of them to use both"

const scopeOf = (reading: ServerReading): OriginScope =>
  reading._tag === "Read" ? reading.entry.origin.scope : reading.origin.scope

/** The entries of a project that stand before one of the person's own and may not take its place. */
const heldBack = Effect.fnUntraced(function* (
  readings: ReadonlyArray<ServerReading>,
  approved: Approved
): Effect.fn.Return<ReadonlySet<ServerReading>> {
  const held = new Set<ServerReading>()
  // -1: nobody's own entry is concerned; 0: the person's own comes first anyway.
  const own = readings.findIndex((reading) => OWN_SCOPES.has(scopeOf(reading)))
  for (const reading of readings.slice(0, Math.max(own, 0))) {
    if (reading._tag === "Skipped" || !(yield* approved(reading.entry))) held.add(reading)
  }
  return held
})

const OWN_SCOPES: ReadonlySet<OriginScope> = new Set(["user", "managed"])
