/** Sign-ins that OpenHarness keeps, in the place of those that are not there: when they are used, and when they move. */
import { assert, describe, it } from "@effect/vitest"
import type { SecretKey } from "@letterhead/core/secrets/SecretKey"
import { layerMemory, SecretStore } from "@letterhead/core/secrets/SecretStore"
import * as ClientRegistration from "@letterhead/oauth/client/ClientRegistration"
import * as RegisteredClients from "@letterhead/oauth/client/RegisteredClients"
import type { FlowTarget, OAuthFlow } from "@letterhead/oauth/flow/OAuthFlow"
import * as OpenHarnessMigration from "@letterhead/oauth/openharness/OpenHarnessMigration"
import type { OpenHarnessTokens } from "@letterhead/oauth/openharness/OpenHarnessTokens"
import * as TokenRecord from "@letterhead/oauth/token/TokenRecord"
import { SignInOver } from "@letterhead/oauth/token/Tokens"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as FaultyAuthorizationServer from "./support/FaultyAuthorizationServer.ts"

const SERVER_URL = new URL("https://mcp.example.com/mcp")
const EXPIRES = 4_102_444_800_000

const theirs: OpenHarnessTokens = {
  accessToken: Redacted.make("their-access"),
  refreshToken: Redacted.make("their-refresh"),
  expiresAt: EXPIRES,
  scope: "notes:read",
  clientId: "their-client",
  clientSecret: Redacted.make("their-secret")
}

const key = TokenRecord.keyOf("notes", SERVER_URL, "local")
const other = TokenRecord.keyOf("other", SERVER_URL, "local")
const clientsOf = (issuer?: string) =>
  ClientRegistration.keyOf({ server: "notes", serverUrl: SERVER_URL, principal: "local" }, issuer)

const ours: TokenRecord.TokenRecord = {
  _tag: "SignedIn",
  issuer: "https://issuer.example",
  resource: SERVER_URL.href,
  clientId: "our-client",
  serverUrl: SERVER_URL.href,
  accessToken: Redacted.make("our-access"),
  tokenType: "Bearer"
}

interface Scene extends OpenHarnessMigration.Migration {
  /** The store beneath, which holds what is our own. */
  readonly own: SecretStore["Service"]
  /** The keys that OpenHarness was asked about. */
  readonly asked: ReadonlyArray<SecretKey>
}

/** OpenHarness is signed in at `notes`, and nobody at `other`. */
const scene = Effect.fnUntraced(function* (
  tokens: OpenHarnessTokens = theirs,
  serverUrl = SERVER_URL
): Effect.fn.Return<Scene, never, SecretStore> {
  const own = yield* SecretStore
  const asked: Array<SecretKey> = []
  const migration = OpenHarnessMigration.make({
    store: own,
    keys: Effect.succeed([key, other]),
    find: (wanted) =>
      Effect.sync(() => {
        asked.push(wanted)
        return wanted.server === "notes" ? Option.some({ tokens, serverUrl }) : Option.none()
      })
  })
  return { ...migration, own, asked }
})

const read = (store: SecretStore["Service"], of = key) =>
  Effect.map(Effect.flatMap(store.get(of), TokenRecord.decode), Option.getOrUndefined)

/** A record without what hides its tokens. */
const plain = (record: TokenRecord.StoredRecord | undefined): unknown =>
  record === undefined ? undefined : JSON.parse(Redacted.value(TokenRecord.encode(record)))

/** Renews what the store holds, as the source of tokens does. */
const renew = Effect.fnUntraced(function* ({ flow, store }: Scene, inner: OAuthFlow["Service"], target: FlowTarget) {
  yield* store.modify(key, (value) =>
    Effect.gen(function* () {
      const current = Option.getOrUndefined(yield* TokenRecord.decode(value))
      if (current?._tag !== "SignedIn") return assert.fail("nobody is signed in")
      const issued = yield* flow(inner).refresh(target, current, undefined)
      return [undefined, Option.some(TokenRecord.encode(TokenRecord.issued(issued, current, 0)))] as const
    })
  )
})

/** A flow that notes what it renews, and the words of the log, in one order. */
const observed = () => {
  const order: Array<string> = []
  const renewed: Array<TokenRecord.TokenRecord> = []
  const flow: OAuthFlow["Service"] = {
    signIn: () => Effect.die(new Error("nobody signs in here")),
    exchange: () => Effect.die(new Error("nothing is exchanged here")),
    grant: () => Effect.die(new Error("nothing is exchanged here")),
    refresh: (_target, record) =>
      Effect.sync(() => {
        order.push("refresh")
        renewed.push(record)
        return {
          accessToken: Redacted.make("new-access"),
          refreshToken: Redacted.make("new-refresh"),
          tokenType: "Bearer" as const
        }
      })
  }
  const logger = Logger.make(({ message }) => void order.push(String(message)))
  return { order, renewed, flow, logged: Effect.provide(Logger.layer([logger])) }
}

const targetAt = (serverUrl: URL, settings: FlowTarget["settings"] = {}): FlowTarget => ({
  server: "notes",
  serverUrl,
  principal: "local",
  settings
})

describe("a sign-in of OpenHarness", () => {
  it.effect("stands in for one of our own, bound to the URL and to nothing that OpenHarness does not say", () =>
    Effect.gen(function* () {
      const { own, store } = yield* scene()
      assert.deepInclude(plain(yield* read(store)), {
        accessToken: "their-access",
        refreshToken: "their-refresh",
        clientId: "their-client",
        serverUrl: SERVER_URL.href,
        scope: "notes:read",
        issuer: "",
        resource: "",
        expiresAt: EXPIRES,
        // OpenHarness may renew it until then.
        renewAt: EXPIRES
      })
      assert.isUndefined(yield* read(store, other))
      assert.isUndefined(yield* read(own))
    }).pipe(Effect.provide(layerMemory))
  )

  it.effect("is not looked at where there is one of our own, nor for anything that is no sign-in", () =>
    Effect.gen(function* () {
      const { asked, own, store } = yield* scene()
      yield* own.set(key, TokenRecord.encode(ours))
      assert.strictEqual((yield* read(store))?.clientId, "our-client")
      assert.isTrue(Option.isNone(yield* store.get({ ...key, field: "API_KEY" })))
      assert.isTrue(Option.isNone(yield* store.get(clientsOf("https://issuer.example"))))
      assert.deepStrictEqual(asked, [])
    }).pipe(Effect.provide(layerMemory))
  )

  it.effect("is not used any more once one of our own is over", () =>
    Effect.gen(function* () {
      const { own, store } = yield* scene()
      yield* own.set(key, TokenRecord.encode(TokenRecord.ended(ours, "signed out")))
      assert.strictEqual((yield* read(store))?._tag, "SignedOut")
    }).pipe(Effect.provide(layerMemory))
  )

  it.effect("has no refresh token where nobody knows the client that it was issued to", () =>
    Effect.gen(function* () {
      const { clientId: _, ...unknown } = theirs
      const { store } = yield* scene(unknown)
      const record = yield* read(store)
      assert.isTrue(record?._tag === "SignedIn" && record.refreshToken === undefined)
    }).pipe(Effect.provide(layerMemory))
  )

  it.effect("is listed as kept by OpenHarness, until there is one of our own", () =>
    Effect.gen(function* () {
      const { own, store } = yield* scene()
      assert.deepStrictEqual(yield* store.list, [{ ...key, keptIn: OpenHarnessMigration.KEPT_IN }])
      yield* own.set(key, TokenRecord.encode(ours))
      assert.deepStrictEqual(
        (yield* store.list).map(({ keptIn }) => keptIn),
        ["memory"]
      )
    }).pipe(Effect.provide(layerMemory))
  )

  it.effect("stays where it is as long as nothing changes, and any change is stored as ours", () =>
    Effect.gen(function* () {
      const { own, store } = yield* scene()
      const seen = yield* store.modify(key, (current) => Effect.succeed([Option.isSome(current), current] as const))
      assert.isTrue(seen)
      assert.isUndefined(yield* read(own))
      const failed = yield* Effect.exit(store.modify(key, () => Effect.fail("no")))
      assert.strictEqual(failed._tag, "Failure")
      assert.isUndefined(yield* read(own))
      yield* store.modify(key, () => Effect.succeed([undefined, Option.some(TokenRecord.encode(ours))] as const))
      assert.deepStrictEqual(plain(yield* read(own)), plain(ours))
    }).pipe(Effect.provide(layerMemory))
  )
})

describe("its renewal", () => {
  it.live("F76: warns before anything is renewed, and binds what comes of it to whom the server names", () => {
    const { flow, logged, order, renewed } = observed()
    return Effect.gen(function* () {
      const server = yield* FaultyAuthorizationServer.make()
      const made = yield* scene(theirs, server.serverUrl)
      yield* renew(made, flow, targetAt(server.serverUrl))
      assert.lengthOf(order, 2)
      assert.match(order[0] ?? "", /"notes".*signs OpenHarness itself out/)
      assert.strictEqual(order[1], "refresh")
      const binding = { issuer: server.origin, resource: server.serverUrl.href }
      assert.deepInclude(plain(renewed[0]), { ...binding, refreshToken: "their-refresh", clientId: "their-client" })
      assert.deepInclude(plain(yield* read(made.own)), {
        ...binding,
        accessToken: "new-access",
        refreshToken: "new-refresh",
        clientId: "their-client",
        scope: "notes:read"
      })
      const known = ClientRegistration.keyOf(targetAt(server.serverUrl), server.origin)
      const [client] = yield* Effect.flatMap(made.own.get(known), RegisteredClients.decode)
      assert.deepInclude(client, { id: "their-client", issuer: server.origin })
      assert.strictEqual(client?.secret === undefined ? undefined : Redacted.value(client.secret), "their-secret")

      // From here on it is a sign-in like any other.
      yield* renew(made, flow, targetAt(server.serverUrl))
      assert.deepStrictEqual(order.slice(2), ["refresh"])
      assert.deepInclude(plain(renewed[1]), { ...binding, refreshToken: "new-refresh" })
    }).pipe(logged, Effect.provide(layerMemory))
  })

  it.live("F76: asks a server first that names its metadata in its refusals alone, and remembers where that is", () => {
    const { flow, logged, renewed } = observed()
    return Effect.gen(function* () {
      const challenge = { "www-authenticate": 'Bearer resource_metadata="{origin}/elsewhere"' }
      const server = yield* FaultyAuthorizationServer.make({
        protectedResource: null,
        metadata: null,
        answering: ({ path }) => {
          if (path === "/mcp") return { status: 401, json: {}, headers: challenge }
          if (path === "/elsewhere") {
            return { status: 200, json: { resource: "{origin}/mcp", authorization_servers: ["{origin}/issuer"] } }
          }
          const metadata = { ...FaultyAuthorizationServer.METADATA, issuer: "{origin}/issuer" }
          return path === "/.well-known/oauth-authorization-server/issuer" ? { status: 200, json: metadata } : undefined
        }
      })
      const made = yield* scene(theirs, server.serverUrl)
      yield* renew(made, flow, targetAt(server.serverUrl))
      const binding = { issuer: `${server.origin}/issuer`, resourceMetadata: `${server.origin}/elsewhere` }
      assert.deepInclude(plain(renewed[0]), binding)
      assert.deepInclude(plain(yield* read(made.own)), { ...binding, accessToken: "new-access" })
      for (const { body, headers } of server.received) {
        assert.isUndefined(headers.authorization)
        assert.notInclude(body, "their-")
      }
    }).pipe(logged, Effect.provide(layerMemory))
  })

  it.live("F76: ends where the server names another authorization server than the one that issued it", () => {
    const { flow, logged, order } = observed()
    return Effect.gen(function* () {
      const server = yield* FaultyAuthorizationServer.make()
      const made = yield* scene({ ...theirs, issuer: "https://issuer.example" }, server.serverUrl)
      const failure = yield* Effect.flip(renew(made, flow, targetAt(server.serverUrl)))
      assert.instanceOf(failure, SignInOver)
      assert.notInclude(order, "refresh")
      assert.isUndefined(yield* read(made.own))
    }).pipe(logged, Effect.provide(layerMemory))
  })

  it.live("changes nothing where the server cannot be asked", () => {
    const { flow, logged, order } = observed()
    return Effect.gen(function* () {
      const serverUrl = new URL("http://127.0.0.1:1/mcp")
      const made = yield* scene(theirs, serverUrl)
      const failure = yield* Effect.flip(renew(made, flow, targetAt(serverUrl)))
      assert.strictEqual(failure._tag, "TokenFailed")
      assert.notInclude(order, "refresh")
      assert.isUndefined(yield* read(made.own))
      assert.strictEqual((yield* read(made.store))?._tag, "SignedIn")
    }).pipe(logged, Effect.provide(layerMemory))
  })

  it.live("remembers no client where the entry names one", () => {
    const { flow, logged } = observed()
    return Effect.gen(function* () {
      const server = yield* FaultyAuthorizationServer.make()
      const made = yield* scene(theirs, server.serverUrl)
      yield* renew(made, flow, targetAt(server.serverUrl, { clientId: "their-client" }))
      assert.deepStrictEqual(
        (yield* made.own.list).map(({ field }) => field),
        [TokenRecord.FIELD]
      )
    }).pipe(logged, Effect.provide(layerMemory))
  })

  it.effect("of a sign-in of our own is left to the flow, without a word", () => {
    const { flow, logged, order } = observed()
    return Effect.gen(function* () {
      const made = yield* scene()
      yield* made.own.set(key, TokenRecord.encode(ours))
      yield* renew(made, flow, targetAt(SERVER_URL))
      assert.deepStrictEqual(order, ["refresh"])
      assert.strictEqual((yield* read(made.own))?.issuer, "https://issuer.example")
    }).pipe(logged, Effect.provide(layerMemory))
  })
})
