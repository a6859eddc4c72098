/** The examples, run against real servers that record what they receive. */
import { assert, describe, it } from "@effect/vitest"
import { CallHooks } from "@letterhead/core/sources/CallHooks"
import * as EntryFixture from "@letterhead/testing/EntryFixture"
import * as LoopbackServer from "@letterhead/testing/LoopbackServer"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Letterhead from "letterhead/Letterhead"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Agent from "../src/Agent.ts"
import * as CurrentSdk from "../src/CurrentSdk.ts"
import * as OlderSdk from "../src/OlderSdk.ts"
import * as Promises from "../src/Promises.ts"
import * as ScriptedModel from "../src/ScriptedModel.ts"

const SERVERS = ["calendar", "notes"]
const SESSIONS = ["monday", "tuesday", "wednesday"]

const home = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "letterhead-examples-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)

/** Two servers, and Letterhead with entries for both and a hook that says whose session a call is of. */
const world = Effect.gen(function* () {
  const folder = yield* home
  const servers = yield* Effect.forEach(SERVERS, () => LoopbackServer.make({ era: "both" }))
  const entries = SERVERS.map((name, index) =>
    EntryFixture.entry({ name, url: servers[index]?.url ?? "", headers: { "X-Server": name } })
  )
  const sessionHook = {
    name: "session",
    run: ({ sessionID }: { readonly sessionID: string }) => Effect.succeed({ "X-Session": sessionID })
  }
  const layer = Letterhead.layer({
    servers: entries,
    stateDirectory: folder,
    environment: { HOME: folder, PATH: process.env["PATH"] }
  }).pipe(Layer.provide(Layer.succeed(CallHooks, [sessionHook])))
  return { folder, layer, servers }
})

const calls = (server: LoopbackServer.LoopbackServer) =>
  Effect.map(server.requests, (requests) => requests.filter(({ rpcMethod }) => rpcMethod === "tools/call"))

const sessionsOf = (server: LoopbackServer.LoopbackServer) =>
  Effect.map(calls(server), (requests) => requests.map(({ headers }) => headers.get("x-session") ?? "none"))

describe("the examples", () => {
  it.live("an agent of two users calls the tools of two servers, each call with its session's headers", () =>
    Effect.gen(function* () {
      const { layer, servers } = yield* world
      const answers = yield* Effect.gen(function* () {
        const users = yield* Effect.forEach(["ada", "bob"], Agent.signIn)
        return yield* Effect.forEach(
          users.flatMap((user, index) => SESSIONS.map((session) => ({ user, session: `${session} of ${index}` }))),
          ({ session, user }) => Effect.map(user.ask(session, "whoami, please"), (answer) => ({ answer, session })),
          { concurrency: "unbounded" }
        )
      }).pipe(Effect.scoped, Effect.provide([layer, ScriptedModel.layer]))
      assert.lengthOf(answers, 6)
      for (const { answer, session } of answers) {
        for (const server of SERVERS) assert.include(answer, `${server}_whoami: {`)
        // Both servers told the session back, and no other.
        assert.deepStrictEqual(
          [...answer.matchAll(/"x-session":"([^"]*)"/g)].map((found) => found[1]),
          [session, session]
        )
      }
      for (const server of servers) assert.lengthOf(yield* calls(server), 6)
    })
  )

  for (const [name, example] of [
    ["a client of SDK 1", Effect.asVoid(OlderSdk.callInSessions("notes", "whoami", SESSIONS))],
    ["a client of SDK 2", Effect.asVoid(CurrentSdk.callInSessions("notes", "whoami", SESSIONS))]
  ] as const) {
    it.live(`${name} is shared by sessions, each call with its session's headers`, () =>
      Effect.gen(function* () {
        const { layer, servers } = yield* world
        yield* example.pipe(Effect.provide(layer))
        const [calendar, notes] = servers
        assert.isDefined(calendar)
        assert.isDefined(notes)
        assert.sameMembers(yield* sessionsOf(notes), SESSIONS)
        assert.deepStrictEqual(yield* calls(calendar), [])
      })
    )
  }

  it.live("a runtime without Effect calls in its sessions over one connection", () =>
    Effect.gen(function* () {
      const { folder, servers } = yield* world
      const [server] = servers
      assert.isDefined(server)
      const file = join(folder, ".mcp.json")
      writeFileSync(file, JSON.stringify({ mcpServers: { calendar: { type: "http", url: server.url } } }))
      const results = yield* Effect.promise(() => Promises.callInSessions(file, "calendar", "whoami", SESSIONS))
      assert.lengthOf(results, 3)
      assert.sameMembers(yield* sessionsOf(server), SESSIONS)
    })
  )
})
