/**
 * What a `WWW-Authenticate` field says that concerns OAuth (RFC 6750, RFC 9728): the Bearer and DPoP challenges in it.
 *
 * It is written by the server, so a URL in it is only carried from here: whether it may be asked is for `UrlPolicy`. A
 * parameter that repeats the token that was refused is left out: a scope or a URL is shown, and asked for, later.
 */
import * as Redacted from "effect/Redacted"
import type { Challenge } from "../flow/OAuthFlow.ts"
import * as ForeignText from "../http/ForeignText.ts"

export interface OAuthChallenge extends Challenge {
  readonly error?: string
}

/** The challenge, or `undefined` where the field asks for no token. `refused` is the token that it is the answer to. */
export const parse = (field: string | undefined, refused?: Redacted.Redacted): OAuthChallenge | undefined => {
  const start = field === undefined ? -1 : field.search(SCHEME)
  if (field === undefined || start < 0) return undefined
  const secrets = refused === undefined ? [] : [Redacted.value(refused)]
  const parameters = new Map<string, string>()
  for (const [, name = "", quoted, token] of field.slice(start).matchAll(PARAMETER)) {
    const key = name.toLowerCase()
    const value = quoted === undefined ? (token ?? "") : quoted.replace(/\\(.)/g, "$1")
    if (!parameters.has(key) && !ForeignText.holds(value, secrets)) parameters.set(key, value)
  }
  const metadata = parameters.get("resource_metadata")
  const scope = parameters.get("scope")
  const error = parameters.get("error")
  const algorithms = parameters.get("algs")
  return {
    ...(metadata === undefined || !URL.canParse(metadata) ? {} : { resourceMetadata: new URL(metadata) }),
    ...(scope === undefined || scope.trim() === "" ? {} : { scope }),
    ...(error === undefined ? {} : { error }),
    ...(DPOP.test(field)
      ? {
          binding: {
            isRequired: !BEARER.test(field),
            ...(algorithms === undefined ? {} : { algorithms: algorithms.split(" ") })
          }
        }
      : {})
  }
}

/** Whether the proof is wrong, and not the token (RFC 9449, section 7.1): another one would be refused as well. */
export const isOfProof = (challenge: OAuthChallenge | undefined): boolean =>
  challenge?.error === "invalid_dpop_proof" || challenge?.error === "use_dpop_nonce"

/** At the beginning or after a comma; a quoted text that looks like one is rare, and harmless. */
const SCHEME = /(?:^|,)\s*(?:bearer|dpop)(?=\s|,|$)/i
const BEARER = /(?:^|,)\s*bearer(?=\s|,|$)/i
const DPOP = /(?:^|,)\s*dpop(?=\s|,|$)/i
const PARAMETER = /([A-Za-z_][\w-]*)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+))/g
