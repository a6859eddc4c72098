/**
 * What an access token says of itself, where it is a JWT (RFC 9068).
 *
 * For people to look at, and for nothing else: the signature is not checked, and to its client a token is opaque. Whoever
 * wrote the claims may have written a secret into them, so what we hold is masked there.
 */
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as ForeignText from "../http/ForeignText.ts"

export type Claims = Readonly<Record<string, unknown>>

/** The claims without these secrets, nor the token; none of a token that is no JWT. */
export const decode = (token: Redacted.Redacted, secrets: ReadonlyArray<Redacted.Redacted>): Option.Option<Claims> => {
  const [header, payload, signature, ...more] = Redacted.value(token).split(".")
  if (header === undefined || payload === undefined || signature === undefined || more.length > 0) return Option.none()
  try {
    const value: unknown = JSON.parse(Buffer.from(payload, "base64url").toString("utf8"))
    const shown = masked(value, [token, ...secrets].map(Redacted.value))
    return isClaims(shown) ? Option.some(shown) : Option.none()
  } catch {
    // The parser's own message would quote the token.
    return Option.none()
  }
}

const masked = (value: unknown, secrets: ReadonlyArray<string>): unknown => {
  if (typeof value === "string") return ForeignText.masked(value, secrets)
  if (typeof value === "number") return secrets.includes(String(value)) ? ForeignText.MASK : value
  if (Array.isArray(value)) return value.map((item) => masked(item, secrets))
  return typeof value === "object" && value !== null
    ? Object.fromEntries(
        Object.entries(value).map(([name, item]) => [ForeignText.masked(name, secrets), masked(item, secrets)])
      )
    : value
}

const isClaims = (value: unknown): value is Claims =>
  typeof value === "object" && value !== null && !Array.isArray(value)
