/**
 * Two users, three sessions, two servers of two eras, and a token that expires in between.
 *
 * Everything is real: servers on loopback sockets, a helper process, a hook module, a trust store. Nothing outside
 * the temporary folder is read or written.
 */
import { CurrentCall, withCall } from "@letterhead/core/call/CallContext"
import { McpConfig } from "@letterhead/core/server/McpConfig"
import type { ServerEntry } from "@letterhead/core/server/ServerEntry"
import { TrustStore } from "@letterhead/core/trust/TrustStore"
import * as TrustSubject from "@letterhead/core/trust/TrustSubject"
import type { McpConnection } from "@letterhead/mcp/McpConnection"
import { McpTransport } from "@letterhead/mcp/McpTransport"
import { RequestObserver, type SentRequest } from "@letterhead/mcp/http/RequestObserver"
import * as LoopbackServer from "@letterhead/testing/LoopbackServer"
import { MARK_ARGUMENT } from "@letterhead/testing/RecordedRequest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"
import { layer as letterhead } from "../../Letterhead.ts"
import * as DemoReport from "./DemoReport.ts"
import * as DemoWorkspace from "./DemoWorkspace.ts"

const SERVERS = [
  { name: "notes", era: "legacy" },
  { name: "search", era: "modern" }
] as const

/** Who talks, in which session; both sessions of ada share her connection to each server. */
const SESSIONS = [
  { user: "ada", session: "ada-session-1" },
  { user: "ada", session: "ada-session-2" },
  { user: "bob", session: "bob-session-1" }
] as const

/** What is told of while the scene plays. */
export interface Narrator {
  readonly opened: (servers: ReadonlyArray<DemoWorkspace.DemoServer>, folder: string) => Effect.Effect<void>
  readonly approved: (subject: TrustSubject.TrustSubject) => Effect.Effect<void>
  readonly called: (calls: ReadonlyArray<DemoReport.DemoCall>) => Effect.Effect<void>
  readonly renewed: (renewal: Renewal) => Effect.Effect<void>
}

/** The call after the token expired. */
export interface Renewal {
  readonly call: DemoReport.DemoCall
  /** Runs of the helper that it took. */
  readonly helperRuns: number
}

/** Plays the scene; gives the totals. */
export const play = Effect.fnUntraced(function* (narrator: Narrator) {
  const path = yield* Path.Path
  const root = yield* DemoWorkspace.makeRoot
  const servers = yield* Effect.forEach(SERVERS, ({ era, name }) =>
    Effect.map(LoopbackServer.make({ era, tokensFile: DemoWorkspace.tokensFile(path, root, name) }), (server) => ({
      ...server,
      name
    }))
  )
  const workspace = yield* DemoWorkspace.write(root, servers)
  yield* narrator.opened(servers, workspace.folder)

  const sent: Array<SentRequest> = []
  return yield* playWith(servers, { narrator, root, sent }).pipe(
    Effect.provide(
      letterhead({
        cwd: workspace.folder,
        configFile: workspace.configFile,
        stateDirectory: workspace.stateDirectory
      })
    ),
    Effect.provideService(RequestObserver, (request) => {
      if (request.call.method === "tools/call") sent.push(request)
    })
  )
}, Effect.scoped)

interface Stage {
  readonly narrator: Narrator
  readonly root: string
  readonly sent: Array<SentRequest>
}

type NamedServer = LoopbackServer.LoopbackServer & DemoWorkspace.DemoServer

const playWith = Effect.fnUntraced(function* (servers: ReadonlyArray<NamedServer>, stage: Stage) {
  const config = yield* McpConfig
  const transport = yield* McpTransport
  const entries = yield* Effect.forEach(servers, (server) => config.get(server.name))
  yield* Effect.forEach(entries, (entry) => Effect.flatMap(approve(entry), stage.narrator.approved))

  const connections = new Set<McpConnection>()
  const eras = new Map<string, string>()
  const talk = Effect.fnUntraced(function* (server: string) {
    const connection = yield* transport.connect(server)
    connections.add(connection)
    eras.set(server, `${connection.era}, ${connection.protocolVersion}`)
    const call = yield* CurrentCall
    yield* connection.callTool("whoami", { [MARK_ARGUMENT]: call.sessionId })
  })
  // The connections stay open between the two acts.
  for (const { user, session } of SESSIONS) {
    yield* withCall(
      Effect.forEach(servers, (server) => transport.connect(server.name)),
      { principal: user, sessionId: session }
    )
  }
  yield* Effect.forEach(
    SESSIONS.flatMap((speaker) => servers.map((server) => ({ ...speaker, server: server.name }))),
    ({ user, session, server }) => withCall(talk(server), { principal: user, sessionId: session }),
    { concurrency: "unbounded" }
  )
  const describe = Effect.fnUntraced(function* (server: NamedServer, session: string) {
    const requests = stage.sent.filter(
      (request) => request.server === server.name && request.call.sessionId === session
    )
    const lastCall = requests.at(-1)?.call.callId
    return DemoReport.describeCall(
      requests.filter((request) => request.call.callId === lastCall),
      yield* server.requests,
      eras.get(server.name) ?? server.name
    )
  })
  const calls = yield* Effect.forEach(SESSIONS, ({ session }) =>
    Effect.forEach(servers, (server) => describe(server, session))
  )
  yield* stage.narrator.called(calls.flat().filter((call) => call !== undefined))

  const [server] = servers
  const [{ session, user }] = SESSIONS
  if (server !== undefined) {
    yield* Effect.sleep(DemoWorkspace.TOKEN_LIFETIME)
    const before = yield* helperRuns(stage.root, servers)
    yield* withCall(talk(server.name), { principal: user, sessionId: session })
    const call = yield* describe(server, session)
    const runs = (yield* helperRuns(stage.root, servers)) - before
    if (call !== undefined) yield* stage.narrator.renewed({ call, helperRuns: runs })
  }

  const received = yield* Effect.forEach(servers, (each) => each.requests)
  const userOf = (marked: string) => SESSIONS.find((speaker) => speaker.session === marked)?.user
  return {
    calls: SESSIONS.length * servers.length + 1,
    connections: connections.size,
    helperRuns: yield* helperRuns(stage.root, servers),
    crossed: received.reduce((total, requests) => total + DemoReport.countCrossed(requests, userOf), 0)
  } satisfies DemoReport.DemoTotals
})

const approve = Effect.fnUntraced(function* (entry: ServerEntry) {
  const store = yield* TrustStore
  const subject = yield* TrustSubject.make(entry)
  yield* store.approve(subject)
  return subject
})

/** Each run registers one token. */
const helperRuns = Effect.fnUntraced(function* (root: string, servers: ReadonlyArray<DemoWorkspace.DemoServer>) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const counts = yield* Effect.forEach(servers, (server) =>
    fs.readFileString(DemoWorkspace.tokensFile(path, root, server.name)).pipe(
      Effect.map((text) => text.split("\n").length - 1),
      Effect.orElseSucceed(() => 0)
    )
  )
  return counts.reduce((total, count) => total + count, 0)
})
