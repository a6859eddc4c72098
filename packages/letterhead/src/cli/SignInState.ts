/**
 * How the calls of a server come to their Authorization, and how a sign-in stands. Reads files and the keychain; runs and
 * sends nothing, and loads nothing of OAuth where nobody ever signed in.
 */
import { LOCAL_PRINCIPAL } from "@letterhead/core/call/CallContext"
import { foldName } from "@letterhead/core/headers/HeaderField"
import { SecretStore } from "@letterhead/core/secrets/SecretStore"
import { Environment } from "@letterhead/core/server/Environment"
import { type GrantName, NAMES } from "@letterhead/core/server/GrantNames"
import type { ServerEntry } from "@letterhead/core/server/ServerEntry"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Directories from "../Directories.ts"
import { signIns } from "../HeaderLayer.ts"
import { isOfSignIn, isOpenHarness, mayApply } from "../OAuthLayer.ts"

/**
 * `client credentials` and the like: the grant that a token is got by, without anybody; `static`, `credential`,
 * `incoming`, `helper`: another source supplies it, or may; `none`: nobody signed in, and nothing
 * says that somebody has to; `unknown`: what is stored cannot be read, or belongs to a URL that is not approved.
 */
export type AuthorizationState =
  | "signed in"
  | "needs login"
  | GrantName
  | "static"
  | "credential"
  | "incoming"
  | "helper"
  | "none"
  | "unknown"

export interface Authorization {
  readonly state: AuthorizationState
  /** Epoch milliseconds at which the access token expires. */
  readonly expiresAt?: number
  /** Whether it is renewed without the person. */
  readonly renewable?: boolean
}

/** The secrets of this person's sign-ins, with those of OpenHarness. */
export const signInStore = Effect.gen(function* () {
  const environment = yield* Environment
  const directories = yield* Directories.resolve(environment)
  const { migration } = yield* Effect.promise(() => import("../OAuthServices.ts"))
  return (yield* migration(signIns({}, directories, environment))).store
})

/** The source that supplies the Authorization of an entry whoever signs in, where its text says so. */
export const supplierOf = (entry: ServerEntry): "static" | "credential" | "incoming" | undefined => {
  // Exchanged for one of the server, but it is still whoever calls that has it.
  if (entry.oauth?.exchange !== undefined) return "incoming"
  if (entry.passthrough.some((header) => header.override && isAuthorization(header.as))) return "incoming"
  if (entry.credentials.some((field) => isAuthorization(field.headerName))) return "credential"
  if (entry.headers.some((header) => isAuthorization(header.name))) return "static"
  return entry.passthrough.some((header) => isAuthorization(header.as)) ? "incoming" : undefined
}

const isAuthorization = (name: string): boolean => foldName(name) === "authorization"

/** What is stored of the sign-in at an entry. */
export const recordOf = Effect.fnUntraced(function* (entry: ServerEntry) {
  const { evaluate } = yield* Effect.promise(() => import("@letterhead/core/server/ServerUrl"))
  const TokenRecord = yield* Effect.promise(() => import("@letterhead/oauth/token/TokenRecord"))
  const key = TokenRecord.keyOf(entry.name, yield* evaluate(entry), LOCAL_PRINCIPAL)
  const store = yield* signInStore
  return yield* Effect.flatMap(store.get(key), TokenRecord.decode)
})

/** How an entry stands. */
export const authorizationOf = Effect.fnUntraced(function* (entry: ServerEntry) {
  const supplier = supplierOf(entry)
  if (supplier !== undefined) return authorization({ state: supplier })
  if (entry.helper !== undefined) return authorization({ state: "helper" })
  if (!mayApply(entry)) return authorization({ state: "none" })
  if (entry.oauth?.grant !== undefined) return authorization({ state: NAMES[entry.oauth.grant.type].name })
  return yield* Effect.orElseSucceed(signInOf(entry), () => authorization({ state: "unknown" }))
})

const authorization = (found: Authorization): Authorization => found

const signInOf = Effect.fnUntraced(function* (entry: ServerEntry) {
  const nobody = authorization({ state: entry.auth === "oauth" ? "needs login" : "none" })
  if (!isOpenHarness(entry) && !(yield* isStored(entry.name))) return nobody
  const record = Option.getOrUndefined(yield* recordOf(entry))
  if (record === undefined) return nobody
  if (record._tag === "SignedOut") return authorization({ state: "needs login" })
  const { expiresAt } = record
  const renewable = record.refreshToken !== undefined
  if (expiresAt === undefined) return authorization({ state: "signed in", renewable })
  const isOver = !renewable && expiresAt <= (yield* Clock.currentTimeMillis)
  return authorization({ state: isOver ? "needs login" : "signed in", expiresAt, renewable })
})

/** Whether anything of a sign-in is kept; where nothing is kept of anybody, the store is not even loaded. */
const isStored = Effect.fnUntraced(function* (server: string) {
  const { credentials } = yield* Directories.resolve(yield* Environment)
  const exists = yield* Effect.orElseSucceed(
    Effect.flatMap(FileSystem.FileSystem, (fs) => fs.exists(credentials)),
    () => true
  )
  if (!exists) return false
  const secrets = yield* (yield* SecretStore).list
  return secrets.some((secret) => secret.server === server && isOfSignIn(secret.field))
})

/** In words, for one line. */
export const describeAuthorization = ({ expiresAt, renewable, state }: Authorization, now: number): string => {
  if (state !== "signed in" || expiresAt === undefined) return state
  return expiresAt <= now && renewable === true
    ? "signed in, expired, renewed at the next call"
    : `signed in, expires in ${remaining(expiresAt - now)}`
}

/** A time to come, as coarse as it is useful. */
export const remaining = (milliseconds: number): string => {
  const minutes = Math.floor(milliseconds / 60_000)
  if (minutes < 1) return `${Math.max(0, Math.ceil(milliseconds / 1_000))} s`
  if (minutes < 60) return `${minutes} min`
  const hours = Math.floor(minutes / 60)
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d`
}
