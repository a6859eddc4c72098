/**
 * `letterhead auth inspect <server>`: what is stored of a sign-in, and what its access token says of itself. Shows no
 * token, and sends nothing. Where the entry names a grant that needs nobody, nothing is stored: a token is got for this.
 *
 * `--json`: `{ server, grant?, issuer, resource, clientId, scope?, tokenType, boundTo?, expiresAt?, expired, renewable,
 * claims? }`; `expiresAt` is RFC 3339, `boundTo` the thumbprint of the key without which the token is of no use (RFC 7638).
 * `claims` are those of a JWT, as the authorization server wrote them, with `***` in the place of a secret of the sign-in:
 * nobody checked its signature.
 */
import { HeaderError, SignInRequired } from "@letterhead/core/headers/HeaderError"
import { McpConfig } from "@letterhead/core/server/McpConfig"
import * as Clock from "effect/Clock"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { warnOf } from "../../ConfigNotes.ts"
import { withHeaders } from "../../LazyLayers.ts"
import { Output } from "../../Output.ts"
import { printableLine } from "../../Printable.ts"
import { recordOf, remaining } from "../../SignInState.ts"
import { render } from "../../Table.ts"

export const inspect = Command.make(
  "inspect",
  { server: Argument.String("server").pipe(Argument.withDescription("Name of a configured server")) },
  ({ server }) => withHeaders(show(server))
).pipe(Command.withDescription("Show what a sign-in or a grant holds, without the tokens"))

const show = Effect.fnUntraced(function* (server: string) {
  const output = yield* Output
  const config = yield* McpConfig
  yield* warnOf(config, server)
  const entry = yield* config.get(server)
  const grant = entry.oauth?.grant?.type
  const record =
    grant === undefined
      ? Option.getOrUndefined(yield* recordOf(entry))
      : yield* Effect.flatMap(
          Effect.promise(() => import("../../GrantToken.ts")),
          ({ request }) => request(entry)
        )
  if (record?._tag !== "SignedIn") {
    const description = record === undefined ? "nobody is signed in" : `the sign-in is over: ${record.reason}`
    return yield* new HeaderError({ server, reason: new SignInRequired({ server, description }) })
  }
  const TokenClaims = yield* Effect.promise(() => import("@letterhead/oauth/token/TokenClaims"))
  const now = yield* Clock.currentTimeMillis
  const { accessToken, clientId, expiresAt, issuer, proofKey, refreshToken, resource, scope, tokenType } = record
  const secrets = [refreshToken, proofKey?.secret].filter((secret) => secret !== undefined)
  const claims = Option.getOrUndefined(TokenClaims.decode(accessToken, secrets))
  const { thumbprint } = yield* Effect.promise(() => import("@letterhead/oauth/proof/ProofKey"))
  const boundTo = proofKey === undefined ? undefined : thumbprint(proofKey)
  const renewable = grant !== undefined || record.refreshToken !== undefined
  const expired = expiresAt !== undefined && expiresAt <= now
  const time = expiresAt === undefined ? undefined : new Date(expiresAt).toISOString()
  if (output.json) {
    return yield* output.document({
      server,
      ...(grant === undefined ? {} : { grant }),
      issuer,
      resource,
      clientId,
      ...(scope === undefined ? {} : { scope }),
      tokenType,
      ...(boundTo === undefined ? {} : { boundTo }),
      ...(time === undefined ? {} : { expiresAt: time }),
      expired,
      renewable,
      ...(claims === undefined ? {} : { claims })
    })
  }
  const expiry =
    expiresAt === undefined
      ? "the authorization server does not say"
      : `${time}, ${expired ? "expired" : `in ${remaining(expiresAt - now)}`}`
  const rows = [
    ...(grant === undefined ? [] : [["grant", grant]]),
    ["issuer", known(issuer)],
    ["resource", known(resource)],
    ["client", known(clientId)],
    ["scope", scope ?? "the authorization server does not say"],
    ["token", boundTo === undefined ? tokenType : `${tokenType}, bound to the key ${boundTo}`],
    ["expires", expiry],
    ["renewed", renewable ? "by itself" : "by signing in again"],
    ...Object.entries(claims ?? {}).map(([name, value]) => [`claim ${name}`, claimText(name, value)])
  ]
  yield* output.print(render({ columns: ["of", "what"], rows: rows.map((cells) => cells.map(printableLine)) }, output))
  return yield* claims === undefined
    ? output.print("The access token is no JWT, and says nothing of itself.")
    : output.print("The claims are the authorization server's own; their signature was not checked.")
})

const known = (text: string): string =>
  text === "" ? "not known before it is renewed: it comes from OpenHarness" : text

/** Times are for people too. */
const claimText = (name: string, value: unknown): string =>
  typeof value === "number" && TIMES.has(name) && Math.abs(value) < LAST_SECOND
    ? `${value} (${new Date(value * 1_000).toISOString()})`
    : typeof value === "string"
      ? value
      : JSON.stringify(value)

/** Claims that are NumericDate (RFC 7519). */
const TIMES: ReadonlySet<string> = new Set(["exp", "iat", "nbf", "auth_time"])

/** The seconds that a date can have. */
const LAST_SECOND = 8_640_000_000_000
