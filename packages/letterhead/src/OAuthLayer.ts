/**
 * The OAuth source, loaded when somebody can be signed in.
 *
 * Most servers are called without a sign-in, and a short command is mostly loading: as long as nothing was ever stored
 * for a server, and it asks nobody to sign in, none of `@letterhead/oauth` is loaded.
 */
import type { CallContext } from "@letterhead/core/call/CallContext"
import * as HeaderPatch from "@letterhead/core/headers/HeaderPatch"
import { SecretStore } from "@letterhead/core/secrets/SecretStore"
import type { Environment } from "@letterhead/core/server/Environment"
import type { McpConfig } from "@letterhead/core/server/McpConfig"
import type { ServerEntry } from "@letterhead/core/server/ServerEntry"
import { type HeaderSource, Rank } from "@letterhead/core/sources/HeaderSource"
import * as RecentlyUsed from "@letterhead/core/RecentlyUsed"
import type { TrustGate } from "@letterhead/core/trust/TrustGate"
import type { TrustStore } from "@letterhead/core/trust/TrustStore"
import type { SignIn } from "@letterhead/oauth/signin/SignIn"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FileSystem from "effect/FileSystem"
import type * as Layer from "effect/Layer"
import type * as Path from "effect/Path"
import type * as Scope from "effect/Scope"
import type { CertificateOptions } from "./CertificateLayer.ts"

export interface OAuthOptions extends CertificateOptions {
  /** The person's home folder, where OpenHarness keeps its sign-ins. */
  readonly home: string
  /** Absolute folder that has a file for each secret that is kept, wherever its value is. */
  readonly directory: string
  /** What leads to the keychain. */
  readonly environment: Environment
  /** Whether the keychain may be asked. Default: what the configuration says, else `auto`. */
  readonly storage?: "auto" | "filesystem"
  /** How a person is asked to sign in. Default: nobody is. */
  readonly signIn?: Layer.Layer<SignIn>
}

export type Requirements = SecretStore | McpConfig | TrustGate | TrustStore | FileSystem.FileSystem | Path.Path

const ID = "oauth"

export const make = Effect.fnUntraced(function* (
  options: OAuthOptions
): Effect.fn.Return<HeaderSource, never, Requirements | Scope.Scope> {
  const context = yield* Effect.context<Requirements | Scope.Scope>()
  const fs = yield* FileSystem.FileSystem
  const store = yield* SecretStore
  /** By entry, the principals that nothing was stored for. */
  const strangers = new WeakMap<ServerEntry, RecentlyUsed.RecentlyUsed<true>>()
  let source: HeaderSource | undefined

  const loading = yield* Effect.promise(() => import("./OAuthServices.ts")).pipe(
    Effect.flatMap(({ source }) => source(options)),
    Effect.tap((made) =>
      Effect.sync(() => {
        source = made
      })
    ),
    Effect.provideContext(context),
    Effect.uninterruptible,
    Effect.cached
  )
  const loaded = Effect.suspend(() => (source === undefined ? loading : Effect.succeed(source)))

  /** Whether there is nothing to load the source for; a store that cannot be read is for the source to tell of. */
  const isStranger = Effect.fnUntraced(function* (entry: ServerEntry, { principal }: CallContext) {
    if (entry.auth === "oauth" || isOpenHarness(entry)) return false
    if (!(yield* Effect.orElseSucceed(fs.exists(options.directory), () => true))) return true
    const secrets = yield* Effect.orElseSucceed(store.list, () => undefined)
    return (
      secrets?.some(
        (secret) => secret.principal === principal && secret.server === entry.name && isOfSignIn(secret.field)
      ) === false
    )
  })

  return {
    id: ID,
    rank: Rank.oauth,
    lifetime: "call",
    standsBackFor: "Authorization",
    applies: mayApply,
    resolve: (entry, call, soFar, before) => {
      if (source !== undefined) return source.resolve(entry, call, soFar, before)
      const known = strangers.get(entry)
      if (known?.get(call.principal) === true) return NOTHING
      return Effect.flatMap(isStranger(entry, call), (stranger) => {
        if (!stranger) return Effect.flatMap(loaded, (made) => made.resolve(entry, call, soFar, before))
        const principals = strangers.get(entry) ?? RecentlyUsed.make<true>()
        strangers.set(entry, principals)
        principals.set(call.principal, true)
        return NOTHING
      })
    },
    challenge: (entry, call, sent, response) =>
      Effect.flatMap(loaded, (made) => made.challenge?.(entry, call, sent, response) ?? Effect.succeed(false)),
    signIn: (entry, owner) => Effect.flatMap(loaded, (made) => made.signIn?.(entry, owner) ?? Effect.void)
  }
})

const NOTHING = Exit.succeed(HeaderPatch.empty(ID, Rank.oauth))

/** Whether somebody can be signed in at a server at all. */
export const mayApply = (entry: ServerEntry): boolean => entry.endpoint.type === "http" && entry.auth !== "none"

/** Whether a secret belongs to a sign-in, and is none that a person fills in: no field of theirs has a blank. */
export const isOfSignIn = (field: string): boolean => field.startsWith("oauth ")

/** Whether an entry was read from a file of OpenHarness, whose sign-ins are used until there is one of our own. */
export const isOpenHarness = ({ origin }: ServerEntry): boolean => OPEN_HARNESS.test(origin.source)

const OPEN_HARNESS = /(?:^|[\\/])\.oh[\\/]config(?:\.local)?\.ya?ml$/
