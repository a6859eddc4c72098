/**
 * Why the headers of a call could not be put together: one error, whose `reason` says what went wrong.
 *
 * Messages name the server, the source, the field and the rule, and say what to do next. They never contain a header
 * value, the output of a helper or the text of a foreign exception: each of those can be a secret.
 */
import * as Data from "effect/Data"
import { formatPlace, type Place } from "../server/ServerEntry.ts"

/** A name or value breaks a rule of RFC 9110 or of this library; rejected, never mended. */
export class HeaderInvalid extends Data.TaggedError("HeaderInvalid")<{
  readonly field: string
  readonly rule: string
  readonly place?: Place
}> {
  override get message(): string {
    return `header "${this.field}"${at(this.place)}: ${this.rule}`
  }
}

/** The name belongs to the protocol; no source may set it. */
export class HeaderForbidden extends Data.TaggedError("HeaderForbidden")<{
  readonly field: string
  readonly place?: Place
}> {
  override get message(): string {
    return `header "${this.field}"${at(this.place)} belongs to the protocol and cannot be set; remove it`
  }
}

/** One value, the number of fields, or all of them together exceed a limit. */
export class HeaderTooLarge extends Data.TaggedError("HeaderTooLarge")<{
  readonly field?: string
  readonly rule: string
}> {
  override get message(): string {
    return this.field === undefined ? this.rule : `header "${this.field}": ${this.rule}`
  }
}

/** Something would be executed, or sent from outside the entry's own text, that nobody approved. */
export class NotTrusted extends Data.TaggedError("NotTrusted")<{
  readonly server: string
  readonly configuration: string
  readonly digest: string
  /** What would run or be sent, a line each. */
  readonly subject: ReadonlyArray<string>
  /** What differs from the last approval, a line each; empty where there was none. */
  readonly changes: ReadonlyArray<string>
}> {
  override get message(): string {
    const state = this.changes.length === 0 ? "was never approved" : "changed since it was approved"
    return [
      `what ${this.configuration} makes of "${this.server}" ${state}; nothing was run or sent`,
      ...(this.changes.length === 0 ? this.subject : this.changes).map((line) => `  ${line}`),
      `look at it and approve it: letterhead trust approve ${this.server}   (digest ${this.digest})`
    ].join("\n")
  }
}

/** A file that decides over trust, or that would be run, is not in a state that can be trusted. */
export class TrustRefused extends Data.TaggedError("TrustRefused")<{
  readonly path: string
  readonly rule: string
}> {
  override get message(): string {
    return `refused: ${this.path} ${this.rule}`
  }
}

/** The trust store could not be read or written; until it can, nothing is trusted. */
export class TrustStoreFailed extends Data.TaggedError("TrustStoreFailed")<{
  readonly path: string
  readonly description: string
}> {
  override get message(): string {
    return `the trust store ${this.path} ${this.description}`
  }
}

/** A program was not found: a helper, or a server that is one. */
export class NotFound extends Data.TaggedError("NotFound")<{
  readonly command: string
  readonly description: string
}> {
  override get message(): string {
    return `the program ${this.command} was not found: ${this.description}`
  }
}

/** A program exists and cannot be executed. */
export class NotExecutable extends Data.TaggedError("NotExecutable")<{
  readonly command: string
  readonly description: string
}> {
  override get message(): string {
    return `the program ${this.command} cannot be executed: ${this.description}`
  }
}

/** The helper did not end in time and was killed, with all of its process group. */
export class TimedOut extends Data.TaggedError("TimedOut")<{ readonly milliseconds: number }> {
  override get message(): string {
    return (
      `the helper did not finish within ${this.milliseconds} ms and was killed; it has no terminal and no standard ` +
      `input, so it cannot ask anything. Raise "timeout" if it needs longer`
    )
  }
}

/** The helper ended with a code other than 0; what it printed was not used. */
export class ExitedWith extends Data.TaggedError("ExitedWith")<{
  readonly code: number
  /** Credential-like variables that were taken out of its environment. */
  readonly withheld: ReadonlyArray<string>
}> {
  override get message(): string {
    return (
      `the helper exited with ${this.code}; what it printed was not used. Its standard error is shown at debug level` +
      withheldHint(this.withheld)
    )
  }
}

/** The helper was ended by a signal. */
export class KilledBy extends Data.TaggedError("KilledBy")<{ readonly signal: string }> {
  override get message(): string {
    return `the helper was killed by ${this.signal}`
  }
}

/** The helper printed nothing. */
export class OutputEmpty extends Data.TaggedError("OutputEmpty")<{ readonly withheld: ReadonlyArray<string> }> {
  override get message(): string {
    return `the helper printed nothing; expected one JSON object, such as {"Authorization": "Bearer …"}${withheldHint(this.withheld)}`
  }
}

/** The helper printed more than the limit and was killed. */
export class OutputTooLarge extends Data.TaggedError("OutputTooLarge")<{ readonly bytes: number }> {
  override get message(): string {
    return `the helper printed more than ${this.bytes} bytes and was killed`
  }
}

/** The helper printed something else than one JSON document. */
export class OutputNotJson extends Data.TaggedError("OutputNotJson")<{
  /** Byte offset into the output at which it stops being one JSON document. */
  readonly offset: number
  readonly defect: string
}> {
  override get message(): string {
    return `the helper's output is not one JSON object: ${this.defect} at byte ${this.offset}`
  }
}

/** The helper printed JSON that breaks the contract. */
export class OutputInvalid extends Data.TaggedError("OutputInvalid")<{
  readonly field?: string
  readonly rule: string
}> {
  override get message(): string {
    return `the helper's output is not valid: ${this.field === undefined ? "" : `"${this.field}": `}${this.rule}`
  }
}

/** A workspace file that the approval covers changed while the helper ran; its output was not used. */
export class FileChanged extends Data.TaggedError("FileChanged")<{ readonly path: string }> {
  override get message(): string {
    return `${this.path} changed between its approval and its use; nothing that came of it was used`
  }
}

/** A variable that a template names is unset or empty, and the template has no default. */
export class VariableMissing extends Data.TaggedError("VariableMissing")<{
  readonly variable: string
  readonly place: Place
}> {
  override get message(): string {
    return (
      `the environment variable ${this.variable}${at(this.place)} is not set; set it, or give a default: ` +
      `\${${this.variable}:-…}`
    )
  }
}

/** A file that a template names cannot be read. */
export class FileUnreadable extends Data.TaggedError("FileUnreadable")<{
  readonly path: string
  readonly place: Place
  readonly description: string
}> {
  override get message(): string {
    return `the file ${this.path}${at(this.place)} ${this.description}`
  }
}

/** The URL that the entry's template makes is not one that headers may be sent to. */
export class UrlInvalid extends Data.TaggedError("UrlInvalid")<{ readonly rule: string; readonly place: Place }> {
  override get message(): string {
    return `the URL${at(this.place)} ${this.rule}`
  }
}

/** A hook module could not be loaded, threw, or did not settle in time. */
export class HookFailed extends Data.TaggedError("HookFailed")<{
  readonly module: string
  readonly description: string
}> {
  override get message(): string {
    return `the hook ${this.module} ${this.description}`
  }
}

/** A source needs a fact of the call that nobody gave. */
export class CallContextMissing extends Data.TaggedError("CallContextMissing")<{ readonly fact: string }> {
  override get message(): string {
    return `the call has no ${this.fact}; make it within withCall(effect, { ${this.fact}: … }), or pass --session`
  }
}

/** A field that the entry requires was never filled in. */
export class CredentialMissing extends Data.TaggedError("CredentialMissing")<{
  readonly server: string
  readonly fields: ReadonlyArray<string>
}> {
  override get message(): string {
    const [first] = this.fields
    const field = this.fields.length === 1 && first !== undefined ? ` ${first}` : ""
    const verb = this.fields.length === 1 ? "is required and not set; set it" : "are required and not set; set them"
    return `${this.fields.join(", ")} ${verb} with: letterhead credential set ${this.server}${field}`
  }
}

/** An incoming header that the entry requires is not part of the call. */
export class IncomingMissing extends Data.TaggedError("IncomingMissing")<{
  readonly field: string
  readonly place: Place
}> {
  override get message(): string {
    return (
      `the incoming header "${this.field}" is required${at(this.place)} and the call has none; ` +
      `capture it with CallContext.fromRequest, or pass --incoming ${this.field}`
    )
  }
}

/** The secret store could not be read or written. */
export class SecretStoreFailed extends Data.TaggedError("SecretStoreFailed")<{
  readonly path: string
  readonly description: string
}> {
  override get message(): string {
    return `the secret store ${this.path} ${this.description}`
  }
}

/** Nobody is signed in at the server, or the sign-in is over; a request never signs in by itself. */
export class SignInRequired extends Data.TaggedError("SignInRequired")<{
  readonly server: string
  /** Why, such as `nobody is signed in`. */
  readonly description: string
}> {
  override get message(): string {
    return `${this.description}; sign in with: letterhead login ${this.server}`
  }
}

/** The authorization server or the person refused, what the server states cannot be trusted, or the flow broke off. */
export class SignInFailed extends Data.TaggedError("SignInFailed")<{
  readonly description: string
  /** Nobody signs in for the token. Default: somebody does. */
  readonly withoutSignIn?: true
}> {
  override get message(): string {
    return `${this.withoutSignIn === true ? "getting a token" : "signing in"} failed: ${this.description}`
  }
}

/** The authorization server cannot be reached or answers nonsense; whoever was signed in still is. */
export class TokenFailed extends Data.TaggedError("TokenFailed")<{
  readonly description: string
  /** Nobody signs in for the token. Default: somebody did. */
  readonly withoutSignIn?: true
}> {
  override get message(): string {
    const kept = this.withoutSignIn === true ? "" : "whoever was signed in still is, "
    return `the authorization server gave no usable answer: ${this.description}; ${kept}try again later`
  }
}

export type HeaderErrorReason =
  | SignInRequired
  | SignInFailed
  | TokenFailed
  | CredentialMissing
  | IncomingMissing
  | SecretStoreFailed
  | HeaderInvalid
  | HeaderForbidden
  | HeaderTooLarge
  | NotTrusted
  | TrustRefused
  | TrustStoreFailed
  | NotFound
  | NotExecutable
  | TimedOut
  | ExitedWith
  | KilledBy
  | OutputEmpty
  | OutputTooLarge
  | OutputNotJson
  | OutputInvalid
  | FileChanged
  | VariableMissing
  | FileUnreadable
  | UrlInvalid
  | HookFailed
  | CallContextMissing

/** The one error of `@letterhead/core`'s sources, runner, trust and resolver. */
export class HeaderError extends Data.TaggedError("HeaderError")<{
  readonly reason: HeaderErrorReason
  /** The server entry concerned, where one is known. */
  readonly server?: string
  /** The source that failed, such as `helper`, where one is known. */
  readonly source?: string
}> {
  override get message(): string {
    const who = [
      this.server === undefined ? undefined : `server "${this.server}"`,
      this.source === undefined ? undefined : `source ${this.source}`
    ].filter((part) => part !== undefined)
    return who.length === 0 ? this.reason.message : `${who.join(", ")}: ${this.reason.message}`
  }
}

const at = (place: Place | undefined): string => (place === undefined ? "" : ` at ${formatPlace(place)}`)

const withheldHint = (withheld: ReadonlyArray<string>): string =>
  withheld.length === 0
    ? ""
    : `. These variables were taken out of its environment: ${withheld.join(", ")}; ` +
      `allow one with: letterhead trust approve --pass-env NAME`
