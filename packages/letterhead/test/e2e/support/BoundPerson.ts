/** Somebody whose programs call a server whose tokens are bound to a key, and what a test wants of both. */
import { local, withCall } from "@letterhead/core/call/CallContext"
import { SecretStore } from "@letterhead/core/secrets/SecretStore"
import { McpError, type McpErrorReason } from "@letterhead/mcp/McpError"
import { McpTransport } from "@letterhead/mcp/McpTransport"
import * as TokenRecord from "@letterhead/oauth/token/TokenRecord"
import { entry } from "@letterhead/testing/EntryFixture"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Letterhead from "letterhead/Letterhead"
import { mkdtempSync, realpathSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { consenting } from "../../../../oauth/test/support/ConsentingPerson.ts"
import type * as BoundTokens from "./BoundTokens.ts"

export const OWNER = { principal: local.principal, sessionId: "s-1" }

export type Server = Effect.Success<ReturnType<typeof BoundTokens.make>>

/** Programs of one person, one after the other: what is stored stays. */
export const person = (server: Server) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => realpathSync(mkdtempSync(join(tmpdir(), "letterhead-bound-")))),
      (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
    ),
    (folder) => ({
      folder,
      program: (
        options: Letterhead.Options & { readonly query?: string; readonly headers?: Record<string, string> } = {}
      ) =>
        Letterhead.layer({
          servers: [entry({ url: `${server.url}${options.query ?? ""}`, headers: options.headers ?? {} })],
          stateDirectory: join(folder, "state"),
          credentialsDirectory: join(folder, "credentials"),
          credentialStorage: "filesystem",
          environment: {},
          signIn: consenting,
          ...options
        })
    })
  )

export const connect = Effect.flatMap(McpTransport, (transport) => transport.connect("example", OWNER))

export const echo = Effect.flatMap(connect, (connection) => withCall(connection.callTool("echo", {}), OWNER))

export const reasonOf = <A, R>(effect: Effect.Effect<A, McpError, R>): Effect.Effect<McpErrorReason, A, R> =>
  Effect.map(Effect.flip(effect), ({ reason }) => reason)

/** The message of the header error that a call failed with. */
export const headersFailed = (reason: McpErrorReason): string =>
  reason._tag === "HeadersFailed" ? reason.error.message : `no header error, but ${reason._tag}`

export const stored = (server: Server) =>
  Effect.gen(function* () {
    const store = yield* SecretStore
    const key = TokenRecord.keyOf("example", new URL(server.url), OWNER.principal)
    const value = yield* store.get(key)
    return { store, key, value, record: Option.getOrUndefined(yield* TokenRecord.decode(value)) }
  })

export const proofsOf = ({ seen }: Server) => seen.flatMap(({ proven }) => (proven === undefined ? [] : [proven]))

/** A request by somebody who never signs in. */
export const post = (server: Server): Effect.Effect<Response, McpErrorReason, McpTransport> =>
  Effect.gen(function* () {
    const fetch = yield* (yield* McpTransport).fetch("example", OWNER)
    return yield* Effect.tryPromise({
      try: () => fetch(server.url, { method: "POST", body: "{}" }),
      catch: (error) => {
        if (error instanceof McpError) return error.reason
        throw error
      }
    })
  }).pipe(
    Effect.scoped,
    Effect.mapError((error) => (error._tag === "McpError" ? error.reason : error))
  )
