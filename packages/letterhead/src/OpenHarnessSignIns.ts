/**
 * The sign-ins that OpenHarness keeps for the servers of its own configuration.
 *
 * They are kept by the name of a server and nothing else, and anybody's file can say a name: for an entry of somebody
 * else's files they are used only where the person approved that entry, URL and all (design rule 7, fault F81). Of the
 * keychain and the file the keychain goes first, as in OpenHarness, whose file is for machines without one.
 */
import { LOCAL_PRINCIPAL } from "@letterhead/core/call/CallContext"
import type { SecretKey } from "@letterhead/core/secrets/SecretKey"
import { McpConfig } from "@letterhead/core/server/McpConfig"
import { needsApproval, type ServerEntry } from "@letterhead/core/server/ServerEntry"
import * as ServerUrl from "@letterhead/core/server/ServerUrl"
import * as Template from "@letterhead/core/server/Template"
import type { TrustGate } from "@letterhead/core/trust/TrustGate"
import { TrustStore } from "@letterhead/core/trust/TrustStore"
import type { ForeignSignIn, MigrationOptions } from "@letterhead/oauth/openharness/OpenHarnessMigration"
import * as OpenHarnessTokens from "@letterhead/oauth/openharness/OpenHarnessTokens"
import { keyOf } from "@letterhead/oauth/token/TokenRecord"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import type * as Path from "effect/Path"
import { isOpenHarness, mayApply, type OAuthOptions } from "./OAuthLayer.ts"

type Requirements = McpConfig | TrustGate | TrustStore | FileSystem.FileSystem | Path.Path

export const make = Effect.fnUntraced(function* (
  options: OAuthOptions
): Effect.fn.Return<Pick<MigrationOptions, "find" | "keys">, never, Requirements> {
  const context = yield* Effect.context<Requirements>()
  const config = yield* McpConfig
  const trust = yield* TrustStore
  const storage = options.storage ?? config.credentialStorage ?? "auto"
  const warned = new Set<string>()
  const entries = [...config.servers.values()].filter((entry) => isOpenHarness(entry) && mayApply(entry))

  const isApproved = Effect.fnUntraced(function* (entry: ServerEntry) {
    if (!needsApproval(entry.origin)) return true
    const { make } = yield* Effect.promise(() => import("@letterhead/core/trust/TrustSubject"))
    const decision = yield* Effect.option(Effect.flatMap(make(entry), trust.check))
    return Option.isSome(decision) && decision.value._tag === "Approved"
  })

  const kept = Effect.fnUntraced(function* (name: string) {
    const fromKeychain = storage === "auto" ? yield* readKeychain(name, options) : Option.none()
    if (Option.isSome(fromKeychain)) return fromKeychain
    const file = OpenHarnessTokens.fileOf(options.home, name)
    return file === undefined ? Option.none() : yield* OpenHarnessTokens.readFile(file)
  })

  const signInOf = Effect.fnUntraced(function* (entry: ServerEntry, key: SecretKey) {
    const url = yield* urlOf(entry)
    if (Option.isNone(url) || url.value.origin !== key.origin) return Option.none<ForeignSignIn>()
    const found = Option.getOrUndefined(yield* kept(entry.name))
    if (found === undefined || !isFor(found, url.value)) return Option.none<ForeignSignIn>()
    if (!(yield* isApproved(entry))) {
      if (!warned.has(entry.name)) {
        warned.add(entry.name)
        yield* Effect.logWarning(
          `OpenHarness is signed in at "${entry.name}"; that is not used before you approve the server with: ` +
            `letterhead trust approve ${entry.name}`
        )
      }
      return Option.none<ForeignSignIn>()
    }
    const clientId = found.clientId ?? (yield* clientOf(entry))
    const tokens = clientId === undefined ? found : { ...found, clientId }
    return Option.some<ForeignSignIn>({ tokens, serverUrl: url.value })
  })

  return {
    keys: Effect.forEach(entries, (entry) =>
      Effect.map(urlOf(entry), (url) =>
        Option.isSome(url) ? [keyOf(entry.name, url.value, LOCAL_PRINCIPAL)] : ([] as const)
      )
    ).pipe(
      Effect.map((keys) => keys.flat()),
      Effect.provideContext(context)
    ),
    find: (key) => {
      const entry = entries.find(({ name }) => name === key.server)
      return entry === undefined || key.principal !== LOCAL_PRINCIPAL
        ? Effect.succeedNone
        : Effect.provideContext(signInOf(entry, key), context)
    }
  }
})

/** A URL that is not known before an approval has no sign-in before it either. */
const urlOf = (entry: ServerEntry) => Effect.option(ServerUrl.evaluate(entry))

const isFor = ({ serverUrl }: OpenHarnessTokens.OpenHarnessTokens, url: URL): boolean =>
  serverUrl === undefined || URL.parse(serverUrl)?.origin === url.origin

/** The client that the entry names, which OpenHarness has no need to keep. */
const clientOf = ({ oauth, origin }: ServerEntry) =>
  oauth?.clientId === undefined
    ? Effect.undefined
    : Effect.orElseSucceed(Template.evaluate(oauth.clientId, { origin, place: oauth.place }), () => undefined)

/** Without a keychain there is only the file. */
const readKeychain = (name: string, { environment }: OAuthOptions) =>
  Effect.promise(() => import("@letterhead/keychain/Keychain")).pipe(
    Effect.flatMap(({ read }) => read({ service: OpenHarnessTokens.KEYCHAIN_SERVICE, environment }, name)),
    Effect.map(Option.flatMap((value) => OpenHarnessTokens.decode(value))),
    Effect.orElseSucceed(() => Option.none())
  )
