/**
 * The person's approvals, one per server of a configuration, by the digest of what was approved.
 *
 * Guarantees that nothing counts as approved unless the store says so: an approval of another digest is `Changed`, and
 * a store that cannot be read is an error, never an answer. {@link layerFile} keeps `trust.json` in a folder of the
 * person's own (0700; the file 0600, replaced as a whole under a lock across processes, so that two approvals at once
 * both survive) and leaves a file that it cannot read untouched. It holds what an approval shows, where what may be a
 * secret is masked, and never the value of a variable. Refuses what {@link PrivateFile} refuses.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import * as Ref from "effect/Ref"
import * as Schema from "effect/Schema"
import * as Semaphore from "effect/Semaphore"
import { HeaderError, TrustStoreFailed } from "../headers/HeaderError.ts"
import * as FileLock from "../storage/FileLock.ts"
import * as PrivateFile from "../storage/PrivateFile.ts"
import type { StorageFailed } from "../storage/StorageFailed.ts"
import type { TrustSubject } from "./TrustSubject.ts"

/** What a person approved, as it was then. */
export interface Approval {
  readonly subject: TrustSubject
  /** Epoch milliseconds. */
  readonly approvedAt: number
  /** Credential-like variables the person lets the helper have, beyond what the entry's `passEnv` names. */
  readonly passEnv: ReadonlyArray<string>
}

/** Approvals are kept one per server of a configuration. */
export interface ApprovalKey {
  readonly configuration: string
  readonly server: string
}

export type TrustDecision =
  | { readonly _tag: "Approved"; readonly approval: Approval }
  | { readonly _tag: "NeverApproved" }
  /** Approved once, with another digest. */
  | { readonly _tag: "Changed"; readonly approval: Approval }

export class TrustStore extends Context.Service<
  TrustStore,
  {
    readonly check: (subject: TrustSubject) => Effect.Effect<TrustDecision, HeaderError>
    readonly approve: (
      subject: TrustSubject,
      options?: { readonly passEnv?: ReadonlyArray<string> }
    ) => Effect.Effect<Approval, HeaderError>
    /** Whether there was an approval to take back. */
    readonly revoke: (key: ApprovalKey) => Effect.Effect<boolean, HeaderError>
    readonly list: Effect.Effect<ReadonlyArray<Approval>, HeaderError>
  }
>()("@letterhead/core/trust/TrustStore") {}

/** Approvals that last as long as the layer. */
export const layerMemory: Layer.Layer<TrustStore> = Layer.effect(
  TrustStore,
  Effect.gen(function* () {
    const approvals = yield* Ref.make<Approvals>([])
    return make({
      read: Ref.get(approvals),
      modify: (change) =>
        Ref.modify(approvals, (before) => {
          const [answer, after] = change(before)
          return [answer, after]
        })
    })
  })
)

/** Nothing is approved, and nothing can be: for programs that never run what somebody else's files say. */
export const layerDenyAll: Layer.Layer<TrustStore> = Layer.succeed(TrustStore, {
  check: () => Effect.succeed({ _tag: "NeverApproved" }),
  approve: (subject) =>
    Effect.fail(
      new HeaderError({
        server: subject.server,
        reason: new TrustStoreFailed({
          path: "(none)",
          description: "takes no approvals: this program trusts no project or remote configuration"
        })
      })
    ),
  revoke: () => Effect.succeed(false),
  list: Effect.succeed([])
})

export interface FileOptions {
  /** Absolute folder of the person's own; made with mode 0700 where there is none. Never a project's. */
  readonly directory: string
}

/** The name of the file within its folder. */
export const FILE_NAME = "trust.json"

/** Approvals in a file; see the module's text for what is guaranteed. Touches nothing until it is asked. */
export const layerFile = (options: FileOptions): Layer.Layer<TrustStore, never, FileSystem.FileSystem | Path.Path> =>
  Layer.effect(
    TrustStore,
    Effect.gen(function* () {
      const path = yield* Path.Path
      const context = yield* Effect.context<FileSystem.FileSystem | Path.Path>()
      const file = path.join(options.directory, FILE_NAME)
      // The lock across processes is for processes; within this one, whoever waits need not ask the disk.
      const semaphore = yield* Semaphore.make(1)
      const read = Effect.flatMap(PrivateFile.read(file), (text) =>
        Option.match(text, { onNone: () => Effect.succeed<Approvals>([]), onSome: (text) => decode(file, text) })
      ).pipe(Effect.mapError(storeFailed(file)), Effect.provideContext(context))
      return make({
        read,
        modify: (change) =>
          Effect.gen(function* () {
            yield* PrivateFile.prepareDirectory(file)
            return yield* FileLock.withLock(file, (lock) =>
              Effect.gen(function* () {
                const before = yield* read
                const [answer, after] = change(before)
                if (after !== before) yield* PrivateFile.write(file, encode(after), lock.verify)
                return answer
              })
            )
          }).pipe(Effect.mapError(storeFailed(file)), Effect.provideContext(context), semaphore.withPermits(1))
      })
    })
  )

type Approvals = ReadonlyArray<Approval>

/** Where approvals are kept; a change that gives the same array back changes nothing. */
interface Shelf {
  readonly read: Effect.Effect<Approvals, HeaderError>
  readonly modify: <A>(
    change: (before: Approvals) => readonly [answer: A, after: Approvals]
  ) => Effect.Effect<A, HeaderError>
}

const make = (shelf: Shelf): TrustStore["Service"] => ({
  check: Effect.fn("TrustStore.check")(function* (subject) {
    const approval = (yield* shelf.read).find((candidate) => sameKey(candidate.subject, subject))
    if (approval === undefined) return { _tag: "NeverApproved" }
    return { _tag: approval.subject.digest === subject.digest ? "Approved" : "Changed", approval }
  }),
  approve: Effect.fn("TrustStore.approve")(function* (subject, options) {
    const approval: Approval = {
      subject,
      approvedAt: yield* Clock.currentTimeMillis,
      passEnv: options?.passEnv ?? []
    }
    return yield* shelf.modify((before) => [
      approval,
      [...before.filter((candidate) => !sameKey(candidate.subject, subject)), approval]
    ])
  }),
  revoke: Effect.fn("TrustStore.revoke")(function* (key) {
    return yield* shelf.modify((before) => {
      const after = before.filter((candidate) => !sameKey(candidate.subject, key))
      return after.length === before.length ? [false, before] : [true, after]
    })
  }),
  list: shelf.read
})

const sameKey = (a: ApprovalKey, b: ApprovalKey): boolean =>
  a.configuration === b.configuration && a.server === b.server

/** The version of the file's form; a file of another version is not read. */
const VERSION = 1

const ApprovalSchema = Schema.Struct({
  subject: Schema.Struct({
    server: Schema.String,
    scope: Schema.Literals(["managed", "user", "project", "remote"]),
    configuration: Schema.String,
    lines: Schema.Array(Schema.Tuple([Schema.String, Schema.String])),
    files: Schema.Array(Schema.Struct({ path: Schema.String, sha256: Schema.String })),
    digest: Schema.String
  }),
  approvedAt: Schema.Finite,
  passEnv: Schema.Array(Schema.String)
})

const Document = Schema.fromJsonString(
  Schema.Struct({ version: Schema.Literal(VERSION), approvals: Schema.Array(ApprovalSchema) })
)

const decode = (file: string, text: string): Effect.Effect<Approvals, HeaderError> =>
  Schema.decodeEffect(Document)(text).pipe(
    Effect.map((document) => document.approvals),
    // The schema's own message would quote what is in the file.
    Effect.mapError(() =>
      refused(
        file,
        `is not a trust store of version ${VERSION}, and is left as it is; nothing is trusted until it is repaired ` +
          `or moved away`
      )
    )
  )

const encode = (approvals: Approvals): string => `${JSON.stringify({ version: VERSION, approvals }, undefined, 2)}\n`

/** A failure of the folder, of the lock or of the file itself: in each case it is the store that does not answer. */
const storeFailed =
  (file: string) =>
  (error: StorageFailed | HeaderError): HeaderError => {
    if (error._tag === "HeaderError") return error
    const what = error.path === file ? error.description : `cannot be used: ${error.path} ${error.description}`
    return refused(file, `${what}. Until then nothing is trusted`)
  }

const refused = (path: string, description: string): HeaderError =>
  new HeaderError({ reason: new TrustStoreFailed({ path, description }) })
