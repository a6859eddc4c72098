/** A person's repository with the files of another system in it, and their own empty home beside it. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { type CallContext, withCall } from "@letterhead/core/call/CallContext"
import { McpConfig } from "@letterhead/core/server/McpConfig"
import { TrustStore } from "@letterhead/core/trust/TrustStore"
import * as TrustSubject from "@letterhead/core/trust/TrustSubject"
import { McpTransport } from "@letterhead/mcp/McpTransport"
import type { RecordedRequest } from "@letterhead/testing/RecordedRequest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Letterhead from "letterhead/Letterhead"
import { dirname, join } from "node:path"

export interface Project {
  /** Absolute root of the repository. */
  readonly directory: string
  /** Letterhead as the person would have it there, and Node's services. */
  readonly layer: (
    options?: Letterhead.Options
  ) => Layer.Layer<Layer.Success<ReturnType<typeof Letterhead.layer>> | NodeServices.NodeServices>
}

/** Writes the files, by path relative to the repository. */
export const make = Effect.fnUntraced(function* (
  files: Readonly<Record<string, string>>,
  environment: Readonly<Record<string, string>> = {}
) {
  const fs = yield* FileSystem.FileSystem
  const root = yield* Effect.flatMap(fs.makeTempDirectoryScoped(), fs.realPath)
  const directory = join(root, "repository")
  const home = join(root, "home")
  yield* fs.makeDirectory(join(directory, ".git"), { recursive: true })
  yield* fs.makeDirectory(home)
  for (const [name, text] of Object.entries(files)) {
    yield* fs.makeDirectory(dirname(join(directory, name)), { recursive: true })
    yield* fs.writeFileString(join(directory, name), text)
  }
  return {
    directory,
    layer: (options = {}) =>
      Layer.orDie(
        Letterhead.layer({
          cwd: directory,
          environment: {
            HOME: home,
            LETTERHEAD_HOME: join(home, "letterhead"),
            PATH: `${dirname(process.execPath)}:/usr/bin:/bin`,
            ...environment
          },
          credentialStorage: "filesystem",
          ...options
        })
      ).pipe(Layer.provideMerge(NodeServices.layer))
  } satisfies Project
})

/** Approves what is configured, as a person would after reading it. */
export const approveAll = Effect.gen(function* () {
  const store = yield* TrustStore
  for (const entry of (yield* McpConfig).servers.values()) yield* store.approve(yield* TrustSubject.make(entry))
})

/** Connects, calls `echo`, and disconnects. */
export const callOnce = Effect.fnUntraced(function* (server: string, call: Partial<CallContext> = {}) {
  const transport = yield* McpTransport
  return yield* withCall(
    Effect.scoped(Effect.flatMap(transport.connect(server), (connection) => connection.callTool("echo", {}))),
    { sessionId: "session-1", ...call }
  )
})

/** The requests that called a tool. */
export const toolCalls = (requests: ReadonlyArray<RecordedRequest>) =>
  requests.filter(({ rpcMethod }) => rpcMethod === "tools/call")
