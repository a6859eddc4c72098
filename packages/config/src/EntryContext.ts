/** Where an entry stands in its document, and what it takes to read it. */
import type { Environment } from "@letterhead/core/server/Environment"
import type { HookModule, Origin } from "@letterhead/core/server/ServerEntry"
import type { Document, DocumentPath } from "./Document.ts"
import type { TemplateParser } from "./Interpolation.ts"

export interface EntryContext {
  readonly document: Document
  /** The path of the entry in the document. */
  readonly path: DocumentPath
  /** Where something of the form that all dialects are brought into, such as `["headers", "X-Api-Key"]`, was written. */
  readonly locate: (path: DocumentPath) => DocumentPath
  readonly name: string
  readonly origin: Origin
  /** Absent where nobody is asked for variables: every one counts as set, to something unknown. */
  readonly environment: Environment | undefined
  readonly parse: TemplateParser
  readonly hooks: ReadonlyArray<HookModule>
}
