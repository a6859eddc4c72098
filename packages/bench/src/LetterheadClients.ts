/** Every face of Letterhead's transport, with six sources, each call with the headers of its own session. */
import { type CallContext, CurrentCall } from "@letterhead/core/call/CallContext"
import { McpTransport } from "@letterhead/mcp/McpTransport"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Scope from "effect/Scope"
import { type Session, STATIC_SESSION } from "./BenchHeaders.ts"
import { contextOf, entryOf, layer } from "./SixSources.ts"
import { type Connection, type Era, paramsOf, type Subject, verify } from "./Subject.ts"

const runtime = ManagedRuntime.make(layer)
const contexts = new Map<Session, CallContext>()

/** The context of a session, which a runtime keeps as long as the session lives. */
const kept = (session: Session): CallContext => {
  const known = contexts.get(session)
  if (known !== undefined) return known
  const made = contextOf(session)
  contexts.set(session, made)
  return made
}

const owner = kept(STATIC_SESSION)

/** A subject whose calls are effects within one runtime. */
const subject = <E>(
  era: Era,
  connect: (url: URL) => Effect.Effect<(session: Session) => Effect.Effect<void, E>, E, McpTransport | Scope.Scope>
): Subject => ({
  era,
  open: async (url): Promise<Connection> => {
    const scope = Scope.makeUnsafe()
    const call = await runtime.runPromise(Scope.provide(connect(url), scope))
    return {
      call: (session) => runtime.runPromise(Effect.provideService(call(session), CurrentCall, kept(session))),
      close: () => Effect.runPromise(Scope.close(scope, Exit.void))
    }
  },
  close: () => runtime.dispose()
})

/** Letterhead's own client. */
export const connection = (era: Era): Subject =>
  subject(
    era,
    Effect.fnUntraced(function* (url) {
      const { callTool } = yield* (yield* McpTransport).connect(entryOf(url), owner)
      return (session) => {
        const { name: tool, arguments: args } = paramsOf(session)
        return Effect.map(callTool(tool, args), ({ content }) => verify(session, content))
      }
    })
  )
