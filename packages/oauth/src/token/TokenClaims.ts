/**
 * What an access token says of itself, where it is a JWT (RFC 9068).
 *
 * For people to look at, and for nothing else: the signature is not checked, and to its client a token is opaque.
 */
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"

export type Claims = Readonly<Record<string, unknown>>

/** The claims; none of a token that is no JWT. */
export const decode = (token: Redacted.Redacted): Option.Option<Claims> => {
  const [header, payload, signature, ...more] = Redacted.value(token).split(".")
  if (header === undefined || payload === undefined || signature === undefined || more.length > 0) return Option.none()
  try {
    const value: unknown = JSON.parse(Buffer.from(payload, "base64url").toString("utf8"))
    return isClaims(value) ? Option.some(value) : Option.none()
  } catch {
    // The parser's own message would quote the token.
    return Option.none()
  }
}

const isClaims = (value: unknown): value is Claims =>
  typeof value === "object" && value !== null && !Array.isArray(value)
