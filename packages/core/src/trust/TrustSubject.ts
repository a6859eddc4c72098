/** All that an entry would execute, or send from outside its own text, with its digest. (make() follows) */
import type { OriginScope } from "../server/ServerEntry.ts"

/** One line of what a person approves: `["command", "/usr/bin/node ./headers.js"]`. */
export type SubjectLine = readonly [label: string, value: string]

/** A workspace file whose bytes the digest covers. */
export interface CoveredFile {
  /** Absolute path. */
  readonly path: string
  /** Hexadecimal SHA-256 of its bytes. */
  readonly sha256: string
}

export interface TrustSubject {
  readonly server: string
  readonly scope: OriginScope
  /** Absolute path or URL of the configuration. */
  readonly configuration: string
  /** What would run or be sent, in reading order; values that may be secrets are masked. */
  readonly lines: ReadonlyArray<SubjectLine>
  readonly files: ReadonlyArray<CoveredFile>
  /** `sha256:` and hexadecimal digits, over all of the above unmasked. */
  readonly digest: string
}
