/**
 * Secrets in the keychain of the operating system, with files where there is none.
 *
 * Every secret has a file in the fallback's folder: one without a value where the keychain keeps it, since keychains
 * cannot be listed, and one with the value where the keychain could not. Each change carries a generation, in both
 * places, and the newest counts: a value that the keychain still has from before it failed is never used again, and
 * neither is one that was removed while it could not be reached.
 *
 * The keychain is proved to work when the first secret is asked for, within 2 s. Where it does not, that is said once,
 * and it is not asked again for a minute. A secret that it holds and cannot give is an error, not an absent
 * secret.
 */
import { HeaderError, SecretStoreFailed } from "@letterhead/core/headers/HeaderError"
import * as SecretFolder from "@letterhead/core/secrets/SecretFolder"
import type { SecretKey } from "@letterhead/core/secrets/SecretKey"
import { newest, type SecretContent, type SecretRecord } from "@letterhead/core/secrets/SecretRecord"
import { make, SecretStore } from "@letterhead/core/secrets/SecretStore"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Path from "effect/Path"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type { Keychain, KeychainFailed, KeychainOptions } from "./Keychain.ts"
import { accountOf } from "./KeychainAccount.ts"
import * as KeychainConnection from "./KeychainConnection.ts"

export interface StoreOptions extends Partial<KeychainOptions> {
  /** Where secrets are kept that the keychain does not keep, and what there is to list. */
  readonly fallback: SecretFolder.FolderOptions
}

/** The name of the service in the keychain. */
export const SERVICE = "letterhead"
/** How the place is named to people. */
export const KEYCHAIN = "keychain"

/** Touches neither keychain nor files until it is asked. */
export const layer = (options: StoreOptions): Layer.Layer<SecretStore, never, FileSystem.FileSystem | Path.Path> =>
  Layer.effect(
    SecretStore,
    Effect.gen(function* () {
      const folder = yield* SecretFolder.make(options.fallback)
      const connection = yield* KeychainConnection.make({ service: SERVICE, ...options }, folder.directory)

      /** What counts, of what the folder and the keychain have. */
      const read = Effect.fnUntraced(function* (key: SecretKey, filed: Option.Option<SecretRecord>) {
        const account = yield* accountOf(key)
        const found = yield* connection.use((keychain) => lookUp(keychain, account, key, filed))
        // Unreachable: the folder says what there is, though maybe not what it is.
        if (Option.isNone(found)) return filed
        const isIndex = Option.isSome(filed) && filed.value.content._tag === "Elsewhere"
        return isIndex ? found.value : newest(filed, found.value)
      })

      const save = Effect.fnUntraced(function* (slot: SecretFolder.Slot, record: SecretRecord) {
        const account = yield* accountOf(record.key)
        const { content } = record
        if (content._tag === "Value") {
          const stored = yield* connection.use((keychain) => keychain.set(account, encode(record, content.value)))
          if (Option.isNone(stored)) return yield* slot.write(record)
          return yield* Effect.catch(slot.write({ ...record, content: ELSEWHERE }), (error) =>
            Effect.logWarning(`${error.message}. The value is in the keychain, and is not listed until it is set again`)
          )
        }
        const removed = yield* connection.use((keychain) => keychain.delete(account))
        if (Option.isSome(removed)) return yield* slot.remove
        yield* slot.write(record)
        return yield* Option.isSome(slot.record) && slot.record.value.content._tag === "Elsewhere"
          ? remains(record.key)
          : Effect.void
      })

      return yield* make({
        read: (key) => Effect.flatMap(folder.read(key), (filed) => read(key, filed)),
        withRecord: (key, use) =>
          folder.withSlot(key, (slot) =>
            Effect.flatMap(read(key, slot.record), (current) => use(current, (record) => save(slot, record)))
          ),
        list: Effect.map(folder.list, (records) =>
          records.flatMap(({ content, key }) => {
            if (content._tag === "Removed") return []
            return [{ ...key, keptIn: content._tag === "Value" ? folder.directory : content.keptIn }]
          })
        )
      })
    })
  )

const lookUp = Effect.fnUntraced(function* (
  keychain: Keychain,
  account: string,
  key: SecretKey,
  filed: Option.Option<SecretRecord>
): Effect.fn.Return<Option.Option<SecretRecord>, KeychainFailed> {
  const stored = yield* keychain.get(account)
  if (Option.isSome(stored)) return yield* decode(key, stored.value)
  // Some keychains say "nothing" where they are locked: one that can be written is not.
  if (Option.isSome(filed) && filed.value.content._tag === "Elsewhere") yield* keychain.probe
  return Option.none()
})

const ELSEWHERE: SecretContent = { _tag: "Elsewhere", keptIn: KEYCHAIN }

/** The version of what is stored in the keychain. */
const VERSION = 1

const Stored = Schema.fromJsonString(
  Schema.Struct({ version: Schema.Literal(VERSION), generation: Schema.Finite, value: Schema.String })
)

const encode = (record: SecretRecord, value: Redacted.Redacted): Redacted.Redacted =>
  Redacted.make(JSON.stringify({ version: VERSION, generation: record.generation, value: Redacted.value(value) }))

const decode = (key: SecretKey, stored: Redacted.Redacted): Effect.Effect<Option.Option<SecretRecord>> =>
  Schema.decodeEffect(Stored)(Redacted.value(stored)).pipe(
    Effect.map(({ generation, value }) =>
      Option.some<SecretRecord>({ key, generation, content: { _tag: "Value", value: Redacted.make(value) } })
    ),
    Effect.catch(() =>
      Effect.as(
        Effect.logWarning(
          `what the keychain holds as ${key.field} of "${key.server}" was not stored by letterhead, and counts as not set`
        ),
        Option.none()
      )
    )
  )

const remains = (key: SecretKey): HeaderError =>
  new HeaderError({
    server: key.server,
    reason: new SecretStoreFailed({
      path: KEYCHAIN,
      description:
        `cannot be reached and still holds ${key.field}. It is not used any more; to take it out, unlock the keychain ` +
        `and look for "${key.server}" in its own tools`
    })
  })
