/** Where an entry stands in its document, and what it takes to read it. */
import type { Environment } from "@letterhead/core/server/Environment"
import type { HookModule, Origin } from "@letterhead/core/server/ServerEntry"
import type { Document, DocumentPath } from "./Document.ts"
import type { TemplateParser } from "./Interpolation.ts"

export interface EntryContext {
  readonly document: Document
  /** The path of the entry in the document. */
  readonly path: DocumentPath
  readonly name: string
  readonly origin: Origin
  readonly environment: Environment
  readonly parse: TemplateParser
  readonly hooks: ReadonlyArray<HookModule>
}
