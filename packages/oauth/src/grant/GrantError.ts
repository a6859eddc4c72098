/**
 * Why an authorization server gave no token, told apart as far as the caller has to: it refused, and says with which
 * code (`GrantRefused`); it could not be asked (`TokenFailed`); or what it wants cannot be trusted (`SignInFailed`).
 */
import { type HeaderErrorReason, SignInFailed, TokenFailed } from "@letterhead/core/headers/HeaderError"
import { AuthorizationServerMismatchError, IssuerMismatchError, OAuthError } from "@modelcontextprotocol/client"
import * as Data from "effect/Data"
import * as Redacted from "effect/Redacted"
import * as ForeignText from "../http/ForeignText.ts"

/** The authorization server understood and refused. */
export class GrantRefused extends Data.TaggedError("GrantRefused")<{
  /** Of RFC 6749, section 5.2, or of the grant, such as `invalid_grant`: what was presented is spent or revoked. */
  readonly code: string
  /** What the server says of it, masked and cut; may be empty. */
  readonly description: string
  /** Who refused, where it was not the authorization server. */
  readonly by?: "identity provider"
}> {
  override get message(): string {
    return `the ${this.by ?? "authorization server"} refused (${this.code})${this.description === "" ? "" : `: ${this.description}`}`
  }
}

export type GrantError = GrantRefused | SignInFailed | TokenFailed

/** A refusal as a reason of `HeaderError`, for callers to whom the code makes no difference. */
export const toReason = (error: GrantError): SignInFailed | TokenFailed =>
  error._tag === "GrantRefused" ? new SignInFailed({ description: error.message }) : error

/** The same where nobody signs in: then no text may speak of a sign-in. */
export const withoutSignIn = (reason: HeaderErrorReason): HeaderErrorReason => {
  if (reason._tag === "SignInFailed") return new SignInFailed({ description: reason.description, withoutSignIn: true })
  if (reason._tag === "TokenFailed") return new TokenFailed({ description: reason.description, withoutSignIn: true })
  return reason
}

/** What a function of the SDK or a fetch rejected with; `secrets` are those of the request. */
export const fromUnknown = (error: unknown, secrets: ReadonlyArray<Redacted.Redacted>): GrantError => {
  if (error instanceof SignInFailed || error instanceof TokenFailed || error instanceof GrantRefused) return error
  if (IssuerMismatchError.isInstance(error)) {
    return new SignInFailed({ description: "the answer came from another authorization server than the one asked" })
  }
  if (AuthorizationServerMismatchError.isInstance(error)) {
    return new SignInFailed({
      description:
        `this client belongs to ${ForeignText.shown(error.recordedIssuer)}, and the server now names ` +
        `${ForeignText.shown(error.currentIssuer)}; nothing was sent there`
    })
  }
  if (!OAuthError.isInstance(error)) {
    return new TokenFailed({ description: "it answered with something that is no token" })
  }
  // The SDK has this code for whatever it cannot read, and quotes that.
  if (error.code === "server_error") return new TokenFailed({ description: "it answered with an error of its own" })
  if (error.code === "temporarily_unavailable") return new TokenFailed({ description: "it is not available now" })
  return refused(error.code, error.message === error.code ? "" : error.message, secrets)
}

/** A refusal in the server's own words. */
export const refused = (code: string, description: string, secrets: ReadonlyArray<Redacted.Redacted>): GrantRefused => {
  const values = secrets.map(Redacted.value)
  return new GrantRefused({
    code: CODE.test(code) && !ForeignText.holds(code, values) ? code : "unknown",
    description: ForeignText.shown(description, values)
  })
}

/** As codes are written, so that none is a way to show something else. */
const CODE = /^[a-z][a-z_]{0,63}$/
