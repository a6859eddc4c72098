/**
 * The gate before a process is spawned, a module loaded or a value read for an entry (design rule 7).
 *
 * Guarantees that an entry of somebody else's files gets a permit only where a person approved exactly what it makes
 * happen now; entries of the person's own and of the administrator get one without a file being read. Never asks
 * anybody: without an approval the answer is no, and the error holds what there is to approve. The permit can look at
 * the covered files again; between such a look and the moment a program reads its own file a window remains, which is
 * why it is used before a spawn and after the exit.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import type * as Path from "effect/Path"
import { FileChanged, HeaderError, NotTrusted } from "../headers/HeaderError.ts"
import { needsApproval, type ServerEntry } from "../server/ServerEntry.ts"
import { readsOutside } from "../server/Template.ts"
import { TrustStore } from "./TrustStore.ts"
import type { TrustSubject } from "./TrustSubject.ts"

/** Leave to run or read what the entry says. */
export interface Permit {
  /** Credential-like variables the person lets the helper have, beyond what the entry's `passEnv` names. */
  readonly passEnv: ReadonlyArray<string>
  /** Reads the covered files again; fails with FileChanged where one is no longer what was approved. */
  readonly verify: Effect.Effect<void, HeaderError>
}

export class TrustGate extends Context.Service<
  TrustGate,
  {
    /** A permit for `entry`; fails with NotTrusted or TrustRefused. `user` and `managed` entries always have one. */
    readonly require: (entry: ServerEntry) => Effect.Effect<Permit, HeaderError>
  }
>()("@letterhead/core/trust/TrustGate") {}

/** Whether the entry came with somebody else's files and would execute something or read something from outside. */
export const needsTrust = (entry: ServerEntry): boolean => {
  if (!needsApproval(entry.origin)) return false
  return (
    entry.helper !== undefined ||
    entry.hooks.length > 0 ||
    entry.endpoint.type === "stdio" ||
    readsOutside(entry.endpoint.url) ||
    entry.headers.some((header) => readsOutside(header.value)) ||
    entry.credentials.length > 0 ||
    entry.auth === "oauth" ||
    entry.oauth !== undefined ||
    entry.passthrough.length > 0
  )
}

/** Loaded when an entry needs it: most are the person's own, or say all there is to say in their own text. */
const subjects = Effect.promise(() => import("./TrustSubject.ts"))

/** The gate over the approvals of a {@link TrustStore}. */
export const layer: Layer.Layer<TrustGate, never, TrustStore | FileSystem.FileSystem | Path.Path> = Layer.effect(
  TrustGate,
  Effect.gen(function* () {
    const store = yield* TrustStore
    const context = yield* Effect.context<FileSystem.FileSystem | Path.Path>()
    return {
      require: Effect.fn("TrustGate.require")(function* (entry) {
        if (!needsTrust(entry)) return FREE
        const { describe, difference, make } = yield* subjects
        const subject = yield* make(entry).pipe(Effect.provideContext(context))
        const decision = yield* store.check(subject).pipe(Effect.mapError((error) => ofServer(error, entry)))
        if (decision._tag === "Approved") {
          return { passEnv: decision.approval.passEnv, verify: Effect.provideContext(verify(subject), context) }
        }
        return yield* new HeaderError({
          server: entry.name,
          reason: new NotTrusted({
            server: entry.name,
            configuration: subject.configuration,
            digest: subject.digest,
            subject: describe(subject),
            changes: decision._tag === "Changed" ? difference(decision.approval.subject, subject) : []
          })
        })
      })
    }
  })
)

/** The permit of an entry that needs none. */
const FREE: Permit = { passEnv: [], verify: Effect.void }

const verify = (subject: TrustSubject): Effect.Effect<void, HeaderError, FileSystem.FileSystem | Path.Path> =>
  Effect.flatMap(
    Effect.flatMap(subjects, ({ firstChanged }) => firstChanged(subject)),
    (changed) =>
      changed === undefined
        ? Effect.void
        : Effect.fail(new HeaderError({ server: subject.server, reason: new FileChanged({ path: changed }) }))
  )

const ofServer = (error: HeaderError, entry: ServerEntry): HeaderError =>
  error.server === undefined ? new HeaderError({ reason: error.reason, server: entry.name }) : error
