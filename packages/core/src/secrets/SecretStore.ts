/**
 * What a person or a sign-in entrusts to this program: values by {@link SecretKey}.
 *
 * Guarantees that `modify` sees the latest value and that nobody else changes it in the meantime, in this process or in
 * another; that of two places which hold one secret the newer generation counts; and that a value which could not be
 * saved is not lost to this process: it is used until the process ends, and a warning says so. Values are `Redacted`,
 * keys are not secret.
 *
 * {@link layerMemory} forgets with the layer; {@link layerFile} keeps files in a folder of the person's own (see
 * {@link SecretFolder}); `@letterhead/keychain` keeps them in the keychain of the operating system.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Path from "effect/Path"
import * as Redacted from "effect/Redacted"
import { HeaderError, SecretStoreFailed } from "../headers/HeaderError.ts"
import * as KeyLock from "./KeyLock.ts"
import * as SecretFolder from "./SecretFolder.ts"
import { hash, type SecretKey } from "./SecretKey.ts"
import { newest, nextGeneration, type SecretContent, type SecretRecord } from "./SecretRecord.ts"

/** A secret that there is, without its value. */
export interface StoredSecret extends SecretKey {
  /** Where it is, for people: a folder, or `keychain`. */
  readonly keptIn: string
}

export class SecretStore extends Context.Service<
  SecretStore,
  {
    readonly get: (key: SecretKey) => Effect.Effect<Option.Option<Redacted.Redacted>, HeaderError>
    /** Stores a value whatever there was; fails where it cannot be saved. */
    readonly set: (key: SecretKey, value: Redacted.Redacted) => Effect.Effect<void, HeaderError>
    /**
     * Runs `change` with the value there is, and stores the one it gives; none removes it. Nobody else changes the
     * secret meanwhile. A change that fails changes nothing. One that cannot be saved holds for this process, with a
     * warning: the value that it replaced may be spent.
     */
    readonly modify: <A, E = never, R = never>(
      key: SecretKey,
      change: (
        current: Option.Option<Redacted.Redacted>
      ) => Effect.Effect<readonly [answer: A, next: Option.Option<Redacted.Redacted>], E, R>
    ) => Effect.Effect<A, E | HeaderError, R>
    /** Whether there was one to remove; fails where some of it could not be removed. */
    readonly remove: (key: SecretKey) => Effect.Effect<boolean, HeaderError>
    readonly list: Effect.Effect<ReadonlyArray<StoredSecret>, HeaderError>
  }
>()("@letterhead/core/secrets/SecretStore") {}

/** Where records are kept; {@link make} makes a store of it. */
export interface Shelf {
  readonly read: (key: SecretKey) => Effect.Effect<Option.Option<SecretRecord>, HeaderError>
  /** Runs `use` with the record there is, while nobody else, in any process, changes it. */
  readonly withRecord: <A, E, R>(
    key: SecretKey,
    use: (
      current: Option.Option<SecretRecord>,
      save: (record: SecretRecord) => Effect.Effect<void, HeaderError>
    ) => Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E | HeaderError, R>
  readonly list: Effect.Effect<ReadonlyArray<StoredSecret>, HeaderError>
}

/** Where a value is that could not be saved. */
export const UNSAVED = "memory, until this program ends"
const MEMORY = "memory"

/** A store over a shelf. */
export const make = Effect.fnUntraced(function* (shelf: Shelf): Effect.fn.Return<SecretStore["Service"]> {
  const lock = yield* KeyLock.make
  /** By hash of the key; what could not be saved. */
  const unsaved = new Map<string, SecretRecord>()
  const latest = (name: string, found: Option.Option<SecretRecord>) =>
    newest(found, Option.fromUndefinedOr(unsaved.get(name)))

  const change = Effect.fnUntraced(function* <A, E, R>(
    key: SecretKey,
    onSaveFailed: "keep" | "fail",
    decide: (
      current: Option.Option<SecretRecord>
    ) => Effect.Effect<readonly [answer: A, next: SecretContent | undefined], E, R>
  ) {
    const name = yield* hash(key)
    return yield* shelf
      .withRecord(key, (found, save) =>
        Effect.uninterruptibleMask((restore) =>
          Effect.gen(function* () {
            const current = latest(name, found)
            const isUnsaved = Option.isSome(current) && current.value === unsaved.get(name)
            const [answer, next] = yield* restore(decide(current))
            const content = next ?? (isUnsaved ? current.value.content : undefined)
            if (content === undefined) return answer
            const generation = nextGeneration(current, yield* Clock.currentTimeMillis)
            const record: SecretRecord = { key, generation, content }
            // What a spent value was exchanged for must not be lost to an interruption.
            yield* save(record).pipe(
              Effect.matchEffect({
                onSuccess: () => Effect.sync(() => unsaved.delete(name)),
                onFailure: (error) =>
                  onSaveFailed === "fail"
                    ? Effect.fail(error)
                    : Effect.andThen(
                        Effect.sync(() => unsaved.set(name, record)),
                        Effect.logWarning(unsavedText(key, error))
                      )
              })
            )
            return answer
          })
        )
      )
      .pipe(lock.withKey(name))
  })

  return {
    get: Effect.fn("SecretStore.get")(function* (key) {
      const name = yield* hash(key)
      const found = yield* shelf.read(key)
      return yield* valueOf(latest(name, found), key)
    }),
    set: (key, value) =>
      change(key, "fail", () => Effect.succeed([undefined, { _tag: "Value", value }])).pipe(
        Effect.withSpan("SecretStore.set")
      ),
    modify: (key, update) =>
      change(key, "keep", (current) =>
        Effect.gen(function* () {
          const before = yield* valueOf(current, key)
          const [answer, after] = yield* update(before)
          return [answer, isSameValue(before, after) ? undefined : contentOf(after)] as const
        })
      ).pipe(Effect.withSpan("SecretStore.modify")),
    remove: (key) =>
      change(key, "fail", (current) =>
        Effect.sync(() => {
          const exists = Option.isSome(current) && current.value.content._tag !== "Removed"
          return [exists, exists ? REMOVED : undefined] as const
        })
      ).pipe(Effect.withSpan("SecretStore.remove")),
    list: Effect.gen(function* () {
      const saved = yield* shelf.list
      const pending = [...unsaved.values()]
      const replaced = new Set(yield* Effect.forEach(pending, ({ key }) => hash(key)))
      const kept = yield* Effect.filter(saved, (secret) => Effect.map(hash(secret), (name) => !replaced.has(name)))
      return [
        ...kept,
        ...pending.flatMap(({ content, key }) => (content._tag === "Value" ? [{ ...key, keptIn: UNSAVED }] : []))
      ]
    }).pipe(Effect.withSpan("SecretStore.list"))
  }
})

/** Secrets that last as long as the layer. */
export const layerMemory: Layer.Layer<SecretStore> = Layer.effect(
  SecretStore,
  Effect.suspend(() => {
    const records = new Map<string, SecretRecord>()
    const find = (name: string) => Option.fromUndefinedOr(records.get(name))
    return make({
      read: (key) => Effect.map(hash(key), find),
      withRecord: (key, use) =>
        Effect.flatMap(hash(key), (name) =>
          Effect.suspend(() => use(find(name), (record) => Effect.sync(() => void records.set(name, record))))
        ),
      list: Effect.sync(() =>
        [...records.values()].flatMap(({ content, key }) =>
          content._tag === "Value" ? [{ ...key, keptIn: MEMORY }] : []
        )
      )
    })
  })
)

/** Secrets in files; see the module's text for what is guaranteed. Touches nothing until it is asked. */
export const layerFile = (
  options: SecretFolder.FolderOptions
): Layer.Layer<SecretStore, never, FileSystem.FileSystem | Path.Path> =>
  Layer.effect(
    SecretStore,
    Effect.gen(function* () {
      const folder = yield* SecretFolder.make(options)
      return yield* make({
        read: (key) => Effect.map(folder.read(key), Option.map(withoutElsewhere)),
        withRecord: (key, use) =>
          folder.withSlot(key, ({ record: found, remove, write }) =>
            use(Option.map(found, withoutElsewhere), (record) =>
              // Another store may still have a value: that it was removed has to be remembered.
              record.content._tag === "Removed" && isOnlyHere(found) ? remove : write(record)
            )
          ),
        list: Effect.map(folder.list, (records) =>
          records.flatMap(({ content, key }) =>
            content._tag === "Value" ? [{ ...key, keptIn: folder.directory }] : []
          )
        )
      })
    })
  )

/** What another store holds is not here; its generation counts all the same. */
const withoutElsewhere = (record: SecretRecord): SecretRecord =>
  record.content._tag === "Elsewhere" ? { ...record, content: REMOVED } : record

const isOnlyHere = (record: Option.Option<SecretRecord>): boolean =>
  Option.isNone(record) || record.value.content._tag === "Value"

const REMOVED: SecretContent = { _tag: "Removed" }

const contentOf = (value: Option.Option<Redacted.Redacted>): SecretContent =>
  Option.match(value, { onNone: () => REMOVED, onSome: (value) => ({ _tag: "Value", value }) })

const valueOf = (
  record: Option.Option<SecretRecord>,
  key: SecretKey
): Effect.Effect<Option.Option<Redacted.Redacted>, HeaderError> => {
  if (Option.isNone(record)) return Effect.succeedNone
  const { content } = record.value
  if (content._tag === "Value") return Effect.succeedSome(content.value)
  if (content._tag === "Removed") return Effect.succeedNone
  return Effect.fail(
    new HeaderError({
      server: key.server,
      reason: new SecretStoreFailed({
        path: content.keptIn,
        description:
          `holds the value of ${key.field} and cannot be reached now; unlock it, or set the value again with: ` +
          `letterhead credential set ${key.server} ${key.field}`
      })
    })
  )
}

const isSameValue = (a: Option.Option<Redacted.Redacted>, b: Option.Option<Redacted.Redacted>): boolean =>
  Option.match(a, {
    onNone: () => Option.isNone(b),
    onSome: (a) => Option.isSome(b) && Redacted.value(a) === Redacted.value(b.value)
  })

const unsavedText = (key: SecretKey, error: HeaderError): string =>
  `the new value of ${key.field} of "${key.server}" could not be saved, and is used until this program ends: ` +
  error.reason.message
