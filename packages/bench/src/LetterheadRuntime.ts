/** What the subjects with Letterhead share: one runtime, and the contexts of the sessions. */
import { type CallContext, CurrentCall } from "@letterhead/core/call/CallContext"
import type { McpTransport } from "@letterhead/mcp/McpTransport"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Scope from "effect/Scope"
import { type Session, STATIC_SESSION } from "./BenchHeaders.ts"
import { contextOf, entryOf, layer } from "./SixSources.ts"
import type { Era, Subject } from "./Subject.ts"

const runtime = ManagedRuntime.make(layer)
const contexts = new Map<Session, CallContext>()

/** The context of the calls of a session, which a runtime keeps as long as the session lives. */
export const contextOfSession = (session: Session): CallContext => {
  const known = contexts.get(session)
  if (known !== undefined) return known
  const made = contextOf(session)
  contexts.set(session, made)
  return made
}

/** On whose behalf connections are opened. */
export const owner = contextOfSession(STATIC_SESSION)

/** A subject whose calls are effects within the runtime, each as the `CurrentCall` of its session. */
export const effectful = <E>(
  era: Era,
  connect: (url: URL) => Effect.Effect<(session: Session) => Effect.Effect<void, E>, E, McpTransport | Scope.Scope>
): Subject =>
  promising(
    era,
    Effect.fnUntraced(function* (url) {
      const call = yield* connect(url)
      return (session) =>
        Effect.runPromise(Effect.provideService(call(session), CurrentCall, contextOfSession(session)))
    })
  )

/** A subject whose connections are made in the runtime, and whose calls are promises. */
export const promising = <E>(
  era: Era,
  connect: (url: URL) => Effect.Effect<(session: Session) => Promise<void>, E, McpTransport | Scope.Scope>
): Subject => ({
  era,
  prepare: entryOf,
  open: async (url) => {
    const scope = Scope.makeUnsafe()
    const call = await runtime.runPromise(Scope.provide(connect(url), scope))
    return { call, close: () => Effect.runPromise(Scope.close(scope, Exit.void)) }
  },
  close: () => runtime.dispose()
})
