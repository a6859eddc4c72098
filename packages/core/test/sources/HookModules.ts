/** Hooks as modules of a test, and what they make of a call. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import type { CallContext } from "@letterhead/core/call/CallContext"
import * as HeaderPatch from "@letterhead/core/headers/HeaderPatch"
import { merge, type ResolvedHeaders } from "@letterhead/core/headers/ResolvedHeaders"
import { type HeaderSource, Rank } from "@letterhead/core/sources/HeaderSource"
import { TrustGate } from "@letterhead/core/trust/TrustGate"
import { entry } from "@letterhead/testing/EntryFixture"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Path from "effect/Path"
import * as Result from "effect/Result"

const permitAll = Layer.succeed(TrustGate, { require: () => Effect.succeed({ passEnv: [], verify: Effect.void }) })

export const services = Layer.merge(NodeServices.layer, permitAll)

const CALL: CallContext = {
  principal: "local",
  sessionId: "session-1",
  callId: "call-1",
  method: "tools/call",
  tool: "echo"
}

/** Writes hook modules and gives an entry that lists them, in order. */
export const hooked = Effect.fnUntraced(function* (...bodies: ReadonlyArray<string>) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const directory = yield* fs.makeTempDirectoryScoped()
  const files: Array<string> = []
  for (const [index, body] of bodies.entries()) {
    const file = path.join(directory, `hook-${index}.mjs`)
    yield* fs.writeFileString(file, body)
    files.push(file)
  }
  return entry({ hooks: files, directory })
})

export const before = (body: string) => `export default { "mcp.call.before": async (input, output) => { ${body} } }`

export const below = (fields: Readonly<Record<string, string>>, source = "static") =>
  ({
    ...HeaderPatch.empty(source, Rank.static),
    set: Object.entries(fields).map(([name, value]) =>
      Result.getOrThrow(HeaderPatch.setField(name, value, `${source}.json`))
    )
  }) satisfies HeaderPatch.HeaderPatch

export const apply = Effect.fnUntraced(function* (
  source: HeaderSource,
  server: ReturnType<typeof entry>,
  options: {
    readonly call?: CallContext
    readonly under?: HeaderPatch.HeaderPatch
    readonly before?: ResolvedHeaders
  } = {}
) {
  const under = options.under ?? below({})
  const soFar = Exit.succeed(Result.getOrThrow(merge([under])))
  const patch = yield* source.resolve(server, options.call ?? CALL, () => soFar, options.before)
  return Result.getOrThrow(merge([under, patch]))
})
