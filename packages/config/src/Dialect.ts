/**
 * A way of writing servers down. A dialect is one file in `dialects/`: its marks say which documents are written in
 * it, its decoder makes server entries of one; to add one is such a file and a line in `Discovery.ts`.
 *
 * Decoding is pure: it reads no file and runs nothing. What a decoder gets right it returns, and what it does not it
 * names: one bad entry skips that server, and only a document whose servers cannot be told fails as a whole.
 */
import type { ConfigErrorReason } from "@letterhead/core/server/ConfigError"
import type { Environment } from "@letterhead/core/server/Environment"
import type { ConfigWarning } from "@letterhead/core/server/McpConfig"
import type { Origin, Place, ServerEntry } from "@letterhead/core/server/ServerEntry"
import type * as Path from "effect/Path"
import type * as Result from "effect/Result"
import type { Document, DocumentPath } from "./Document.ts"

export interface Dialect {
  /** Unique; appears in the documentation. */
  readonly id: string
  /** Names of the files that are written in it, in the order they count within one folder. */
  readonly fileNames: ReadonlyArray<string>
  /** Whether a document under another name looks like it. */
  readonly marks: (document: Document) => boolean
  readonly decode: (document: Document, context: DecodeContext) => Result.Result<Reading, ConfigErrorReason>
}

/** What a decoder may know besides the document. */
export interface DecodeContext {
  /** Fixed by where the document lies, before anything in it is read. */
  readonly origin: Origin
  readonly environment: Environment
  readonly path: Path.Path
  /** Where the servers stand, for a document that holds several sets of them. Default: the dialect's own place. */
  readonly serversAt?: DocumentPath
}

/** What one document says. */
export interface Reading {
  /** In the order they were written. */
  readonly servers: ReadonlyArray<ServerReading>
  readonly warnings: ReadonlyArray<ConfigWarning>
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
