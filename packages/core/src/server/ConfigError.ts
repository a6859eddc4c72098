/** What can be wrong with a configuration. Every message names the file, the place, what was expected, what to do. */
import * as Data from "effect/Data"
import { formatPlace, type Place } from "./ServerEntry.ts"

/** The file does not exist or cannot be read. */
export class DocumentUnreadable extends Data.TaggedError("DocumentUnreadable")<{
  readonly path: string
  readonly description: string
}> {
  override get message(): string {
    return `${this.path}: ${this.description}`
  }
}

/** The text is not JSON, JSONC or YAML. */
export class DocumentMalformed extends Data.TaggedError("DocumentMalformed")<{
  readonly place: Place
  readonly description: string
}> {
  override get message(): string {
    return `${formatPlace(this.place)}: ${this.description}`
  }
}

/** A value is not what the dialect's schema says. */
export class ValueInvalid extends Data.TaggedError("ValueInvalid")<{
  readonly place: Place
  readonly expected: string
  readonly remedy?: string
}> {
  override get message(): string {
    return `${formatPlace(this.place)}: expected ${this.expected}${this.remedy === undefined ? "" : `; ${this.remedy}`}`
  }
}

/** A variable that a template names is unset or empty, and the template has no default. */
export class VariableUnset extends Data.TaggedError("VariableUnset")<{
  readonly place: Place
  readonly variable: string
}> {
  override get message(): string {
    return (
      `${formatPlace(this.place)}: the environment variable ${this.variable} is not set; ` +
      `set it, or give a default: \${${this.variable}:-…}`
    )
  }
}

/** Two sources of one entry claim the same header, and the entry does not say which of them counts (design rule 1). */
export class HeaderConflict extends Data.TaggedError("HeaderConflict")<{
  readonly header: string
  readonly place: Place
  /** Where the other source is declared. */
  readonly other: Place
  readonly remedy: string
}> {
  override get message(): string {
    return (
      `${formatPlace(this.place)}: the header ${this.header} comes from ${formatPlace(this.other)} too; ` + this.remedy
    )
  }
}

/** The entry says that it is not to be used. */
export class ServerDisabled extends Data.TaggedError("ServerDisabled")<{ readonly place: Place }> {
  override get message(): string {
    return `${formatPlace(this.place)}: the entry is disabled here; enable it to use it`
  }
}

/** No entry of that name was found in any file. */
export class ServerUnknown extends Data.TaggedError("ServerUnknown")<{
  readonly server: string
  readonly known: ReadonlyArray<string>
}> {
  override get message(): string {
    return this.known.length === 0
      ? `no server "${this.server}": no configuration names any server; see \`letterhead config path\``
      : `no server "${this.server}"; configured: ${this.known.join(", ")}`
  }
}

/** The entry exists but was skipped while loading. */
export class ServerSkipped extends Data.TaggedError("ServerSkipped")<{
  readonly server: string
  readonly why: string
}> {
  override get message(): string {
    return `server "${this.server}" was skipped: ${this.why}`
  }
}

export type ConfigErrorReason =
  | DocumentUnreadable
  | DocumentMalformed
  | ValueInvalid
  | VariableUnset
  | HeaderConflict
  | ServerDisabled
  | ServerUnknown
  | ServerSkipped

/** The one error of everything that provides {@link McpConfig}. */
export class ConfigError extends Data.TaggedError("ConfigError")<{ readonly reason: ConfigErrorReason }> {
  override get message(): string {
    return this.reason.message
  }
}
