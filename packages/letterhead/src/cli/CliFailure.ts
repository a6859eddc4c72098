/** What only the command line can get wrong: the one error of the verbs themselves. */
import * as Data from "effect/Data"

export class CliFailure extends Data.TaggedError("CliFailure")<{
  /** Stable: it stands in `--json` errors. */
  readonly code:
    | "UsageInvalid"
    | "ArgumentsInvalid"
    | "ToolUnknown"
    | "ConfigInvalid"
    | "ApprovalMissing"
    | "IncomingMissing"
    | "ToolFailed"
    | "ApprovalRefused"
    | "DigestMismatch"
    | "CredentialUnknown"
    | "CredentialUnset"
    | "RevocationFailed"
    | "SecretStoreFailed"
  readonly message: string
  /** What to do next, on a line of its own. */
  readonly hint?: string
}> {}
