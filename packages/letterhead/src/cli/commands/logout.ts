/**
 * `letterhead logout <server>`: takes the tokens of a sign-in away from this machine, keychain and files, and with
 * `--revoke` also makes them void at the authorization server, where it can do that.
 *
 * What is kept here goes in any case, without a network too; whatever then remains somewhere, the error says, and it is
 * never used again. Where a grant needs nobody there are no tokens here; which authorization server its client belongs to
 * is forgotten. Sign-ins of OpenHarness are left to it, and not used any more.
 *
 * `--json`: `{ server, removed: [field], revoked }`.
 */
import { LOCAL_PRINCIPAL } from "@letterhead/core/call/CallContext"
import type { HeaderError, HeaderErrorReason } from "@letterhead/core/headers/HeaderError"
import type { SecretKey } from "@letterhead/core/secrets/SecretKey"
import { SecretStore } from "@letterhead/core/secrets/SecretStore"
import { McpConfig } from "@letterhead/core/server/McpConfig"
import type { ServerEntry } from "@letterhead/core/server/ServerEntry"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import { isOfSignIn, isOpenHarness } from "../../OAuthLayer.ts"
import { CliFailure } from "../CliFailure.ts"
import { withHeaders } from "../LazyLayers.ts"
import { Output } from "../Output.ts"
import { printable, printableLine } from "../Printable.ts"
import { withProgress } from "../Progress.ts"
import { signInStore } from "../SignInState.ts"

export const logout = Command.make(
  "logout",
  {
    server: Argument.String("server").pipe(Argument.withDescription("Name of a server")),
    revoke: Flag.Boolean("revoke").pipe(
      Flag.withDescription("Also make the tokens void at the authorization server"),
      Flag.withoutNegation,
      Flag.withDefault(false)
    )
  },
  ({ revoke, server }) => withHeaders(signOut(server, revoke))
).pipe(Command.withDescription("Sign out of a server"))

const signOut = Effect.fnUntraced(function* (server: string, wantsRevoked: boolean) {
  const output = yield* Output
  const config = yield* McpConfig
  const entry = config.servers.get(server)
  const { FIELD } = yield* Effect.promise(() => import("@letterhead/oauth/token/TokenRecord"))
  const store = yield* SecretStore
  const stored = (yield* store.list).filter(
    (secret) => secret.principal === LOCAL_PRINCIPAL && secret.server === server && isOfSignIn(secret.field)
  )
  const origin = entry === undefined ? yield* onlyOriginOf(server, stored) : yield* originOf(entry)
  const here = stored.filter((secret) => secret.origin === origin)
  const tokens = here.find(({ field }) => field === FIELD)
  // Of several that remain somewhere, the error is about the tokens.
  const secrets = [...here.filter(({ field }) => field === FIELD), ...here.filter(({ field }) => field !== FIELD)]

  // Before they are gone.
  const revocation =
    wantsRevoked && tokens !== undefined
      ? yield* Effect.result(revoked(tokens, entry).pipe(withProgress(`revoking the tokens of ${server}`)))
      : Result.succeed(undefined)

  const removed: Array<string> = []
  const failures: Array<HeaderError> = []
  for (const { keptIn: _, ...key } of secrets) {
    yield* Effect.match(store.remove(key), {
      onSuccess: () => void removed.push(key.field),
      onFailure: (failure) => void failures.push(failure)
    })
  }
  const left = entry !== undefined && isOpenHarness(entry) ? yield* disown(server, origin) : false

  const [failure] = failures
  if (Result.isFailure(revocation)) {
    const error = new CliFailure({
      code: "RevocationFailed",
      message: printable(`the tokens of "${server}" were not revoked: ${descriptionOf(revocation.failure)}`),
      hint:
        failure === undefined
          ? "They are gone from this machine, and stay valid for who has a copy until they expire."
          : "They stay valid for who has a copy until they expire."
    })
    if (failure === undefined) return yield* error
    yield* output.warn(`${error.message}. ${error.hint}`)
  }
  if (failure !== undefined) return yield* failure
  const outcome = Result.isSuccess(revocation) ? revocation.success : undefined
  const isRevoked = outcome === REVOKED
  if (outcome !== undefined && !isRevoked) {
    yield* output.warn(printableLine(`no token of "${server}" was revoked: ${outcome}`))
  }
  if (output.json) return yield* output.document({ server, removed, revoked: isRevoked })
  const what = isRevoked ? ", and the tokens are void" : ""
  const others = left ? " OpenHarness still is: its own sign-in is left as it is, and not used here." : ""
  return yield* output.print(
    printableLine(
      tokens === undefined && !left
        ? entry?.oauth?.grant === undefined
          ? `Nobody was signed in at "${server}".`
          : `Nobody signs in at "${server}", and no token is kept: each run gets its own. To end that, change its entry.`
        : `Signed out of "${server}"${what}.${others}`
    )
  )
})

const originOf = Effect.fnUntraced(function* (entry: ServerEntry) {
  const { evaluate } = yield* Effect.promise(() => import("@letterhead/core/server/ServerUrl"))
  return (yield* evaluate(entry)).origin
})

/** Of a server that is not configured here. */
const onlyOriginOf = Effect.fnUntraced(function* (server: string, stored: ReadonlyArray<SecretKey>) {
  const [origin, ...others] = new Set(stored.map((secret) => secret.origin))
  if (origin !== undefined && others.length === 0) return origin
  if (origin === undefined)
    return yield* Effect.flatMap(McpConfig, (config) => Effect.flatMap(config.get(server), originOf))
  const all = [origin, ...others].join(", ")
  return yield* new CliFailure({
    code: "UsageInvalid",
    message: printableLine(
      `"${server}" is not configured here, and you are signed in at ${all}; say which by --cwd or --config`
    )
  })
})

/** {@link REVOKED}, or why nothing was. */
const revoked = Effect.fnUntraced(function* (key: SecretKey, entry: ServerEntry | undefined) {
  const store = yield* SecretStore
  const { decode } = yield* Effect.promise(() => import("@letterhead/oauth/token/TokenRecord"))
  const { revoke } = yield* Effect.promise(() => import("@letterhead/oauth/grant/Revocation"))
  const { layer: network } = yield* Effect.promise(() => import("../../OAuthNetwork.ts"))
  const record = Option.getOrUndefined(yield* Effect.flatMap(store.get(key), decode))
  if (record === undefined) return `what is stored cannot be read; ${UNKNOWN}`
  if (record._tag === "SignedOut") return `${record.reason}; ${UNKNOWN}`
  const { principal, server } = key
  const { evaluate } = yield* Effect.promise(() => import("@letterhead/oauth/flow/EntrySettings"))
  const settings = entry === undefined ? {} : yield* evaluate(entry)
  const target = { server, principal, serverUrl: new URL(record.serverUrl), settings }
  const isRevoked = yield* Effect.provide(revoke(target, record), network())
  return isRevoked ? REVOKED : "its authorization server revokes nothing; the tokens stay valid until they expire"
})

/** The authorization server made the tokens void. */
const REVOKED = "revoked"

/** Where no tokens are there to be shown to the authorization server. */
const UNKNOWN = "those that were given stay valid until they expire, unless the authorization server ended them"

/** Leaves a mark where OpenHarness is signed in, since its sign-in would otherwise be used again at the next call. */
const disown = Effect.fnUntraced(function* (server: string, origin: string) {
  const TokenRecord = yield* Effect.promise(() => import("@letterhead/oauth/token/TokenRecord"))
  const key = { principal: LOCAL_PRINCIPAL, origin, server, field: TokenRecord.FIELD }
  const merged = yield* signInStore
  const found = yield* Effect.flatMap(merged.get(key), TokenRecord.decode)
  if (Option.isNone(found)) return false
  const mark = TokenRecord.encode(TokenRecord.ended(found.value, "signed out"))
  yield* (yield* SecretStore).set(key, mark)
  return true
})

const descriptionOf = (error: HeaderError | HeaderErrorReason): string =>
  "description" in error ? error.description : error.message
