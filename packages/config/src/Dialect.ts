/**
 * A way of writing servers down. A dialect is one file in `dialects/`: its marks say which documents are written in
 * it, its decoder makes server entries of one; to add one is such a file and a line in `Discovery.ts`.
 *
 * Decoding is pure: it reads no file and runs nothing. What a decoder gets right it returns, and what it does not it
 * names: one bad entry skips that server, and only a document whose servers cannot be told fails as a whole.
 */
import type { ConfigErrorReason } from "@letterhead/core/server/ConfigError"
import type { Environment } from "@letterhead/core/server/Environment"
import type { ConfigWarning, CredentialStorage } from "@letterhead/core/server/McpConfig"
import type { Origin, Place, ServerEntry } from "@letterhead/core/server/ServerEntry"
import type * as Path from "effect/Path"
import type * as Result from "effect/Result"
import type { Document, DocumentPath } from "./Document.ts"

export interface Dialect {
  /** Unique. */
  readonly id: string
  /** What people call it. */
  readonly title: string
  /** Names of the files that are written in it, relative to their folder, in the order they count there. */
  readonly fileNames: ReadonlyArray<string>
  /** What in a document under another name looks like it, each as a phrase: the more, the surer. */
  readonly marks: (document: Document) => ReadonlyArray<string>
  readonly decode: (document: Document, context: DecodeContext) => Result.Result<Reading, ConfigErrorReason>
}

/** What a decoder may know besides the document. */
export interface DecodeContext {
  /** Fixed by where the document lies, before anything in it is read. */
  readonly origin: Origin
  /** Absent where no variable is to be looked at, as for a translation: see `EntryContext`. */
  readonly environment: Environment | undefined
  readonly path: Path.Path
  /** Where the servers stand, for a document that holds several sets of them. Default: the dialect's own place. */
  readonly serversAt?: DocumentPath
}

/** What one document says. */
export interface Reading {
  /** In the order they were written. */
  readonly servers: ReadonlyArray<ServerReading>
  readonly warnings: ReadonlyArray<ConfigWarning>
  /** Documents elsewhere whose servers count after these, in order. Default: none. */
  readonly extends?: ReadonlyArray<Extension>
  readonly credentialStorage?: CredentialStorage
}

/** Another document that one names. */
export interface Extension {
  readonly url: string
  readonly place: Place
}

/** A server of a document: its entry, or why there is none. */
export type ServerReading =
  | { readonly _tag: "Read"; readonly name: string; readonly place: Place; readonly entry: ServerEntry }
  | {
      readonly _tag: "Skipped"
      readonly name: string
      readonly place: Place
      readonly origin: Origin
      readonly reason: ConfigErrorReason
    }

/** The keys of a document that are there and hold what a dialect keeps there, as phrases. */
export const marksOf = (
  document: Document,
  keys: Readonly<Record<string, "object" | "list" | "scalar">>
): ReadonlyArray<string> =>
  Object.entries(keys).flatMap(([key, kind]) =>
    document.node([key])?.kind === kind ? [`"${key}" as ${ARTICLES[kind]}`] : []
  )

const ARTICLES = { object: "an object", list: "a list", scalar: "a plain value" } as const
