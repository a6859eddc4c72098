/**
 * Who can change a file, read from its owner and mode.
 *
 * Guarantees a judgement from one `lstat`: whose file it is and who else may write it. Where the platform has no such
 * thing (Windows) there is nothing to judge, and {@link Account} says so.
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Path from "effect/Path"

/** The account the runtime runs as, as far as the file system tells. */
export type Account =
  | { readonly _tag: "Posix"; readonly uid: number }
  /** POSIX, and nothing told the user id: every owner but root counts as somebody else. */
  | { readonly _tag: "Unknown" }
  /** Files have no owner and mode that say who may write them. */
  | { readonly _tag: "NoModes" }

/** Write bits of group and others. */
export const WRITABLE_BY_OTHERS = 0o022
/** Every bit of group and others. */
export const ACCESSIBLE_BY_OTHERS = 0o077

const ROOT = 0
/** Belongs to the effective user of the process that looks, where there is a procfs. */
const OWN_PROCESS = "/proc/self"

/** The account of this process; asks the procfs, else looks at whom a file it makes belongs to. */
export const account: Effect.Effect<Account, never, FileSystem.FileSystem | Path.Path> = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  if (path.sep === "\\") return { _tag: "NoModes" }
  const made = Effect.scoped(Effect.flatMap(fs.makeTempDirectoryScoped({ prefix: "letterhead-" }), fs.lstat))
  const uid = yield* fs.stat(OWN_PROCESS).pipe(
    Effect.catch(() => made),
    Effect.map((info) => info.uid),
    Effect.orElseSucceed(() => Option.none<number>())
  )
  return Option.match(uid, { onNone: () => ({ _tag: "Unknown" }) as const, onSome: (uid) => ({ _tag: "Posix", uid }) })
})

/** The rule that the owner or mode of a file breaks, or `undefined`. */
export const defect = (
  info: FileSystem.File.Info,
  account: Account,
  options: {
    /** Whether root may own the file in our place. */
    readonly root: boolean
  }
): string | undefined => {
  if (account._tag === "NoModes") return undefined
  const owner = Option.getOrUndefined(info.uid)
  const ours = account._tag === "Posix" && owner === account.uid
  if (!ours && !(options.root && owner === ROOT)) return "belongs to another user; take it over with chown, or copy it"
  if ((info.mode & WRITABLE_BY_OTHERS) !== 0) return "can be written by other users; take that away: chmod go-w"
  return undefined
}
