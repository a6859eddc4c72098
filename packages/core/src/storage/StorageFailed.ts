/** A file of ours could not be read, written or locked. Says which and what to do; never what is in it. */
import * as Data from "effect/Data"
import type * as PlatformError from "effect/PlatformError"

export class StorageFailed extends Data.TaggedError("StorageFailed")<{
  /** Absolute path of the file or folder concerned. */
  readonly path: string
  /** Continues a sentence that begins with the path, and ends with what to do. */
  readonly description: string
  /** `busy`: others hold its lock; `too large`: it has more bytes than it may. Absent for everything else. */
  readonly kind?: "busy" | "too large"
}> {
  override get message(): string {
    return `${this.path} ${this.description}`
  }
}

/** What the platform said, in words that quote nothing but the kind of failure. */
export const describe = (attempt: string, error: PlatformError.PlatformError): string => {
  const hint = HINTS[error.reason._tag] ?? "check that its disk is neither full nor read-only"
  return `${attempt}; ${hint}`
}

const HINTS: { readonly [tag: string]: string | undefined } = {
  NotFound: "check that its folder exists",
  PermissionDenied: "check its permissions and those of its folder",
  BadResource: "check that nothing else, such as a folder or a link, is in its place"
}
