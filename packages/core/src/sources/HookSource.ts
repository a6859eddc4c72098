/**
 * The headers that hooks add, override and remove, call by call.
 *
 * Hooks run in order, once per call; each sees what the one before left. What they did is applied again to the
 * retries and resumes of the same call. They do not run for what the connection sends of its own accord. Changes a
 * hook makes after it settled do nothing.
 */
import * as Effect from "effect/Effect"
import * as Path from "effect/Path"
import * as Redacted from "effect/Redacted"
import type { CallContext } from "../call/CallContext.ts"
import { CallContextMissing, HeaderError, HookFailed, type HeaderErrorReason } from "../headers/HeaderError.ts"
import * as HeaderPatch from "../headers/HeaderPatch.ts"
import type { ResolvedHeaders } from "../headers/ResolvedHeaders.ts"
import { formatPlace, type HookModule as HookDeclaration, type ServerEntry } from "../server/ServerEntry.ts"
import { TrustGate } from "../trust/TrustGate.ts"
import { type HeaderSource, Rank } from "./HeaderSource.ts"
import * as HookHeaders from "./HookHeaders.ts"
import * as HookModule from "./HookModule.ts"
import * as StaticSource from "./StaticSource.ts"

export const ID = "hook"

/** Milliseconds that one hook may take for one call. A hook that never yields to the event loop cannot be stopped. */
export const HOOK_BUDGET = 5_000

/** The methods that are calls of a session; see the module's description. */
export const HOOKED_METHODS: ReadonlySet<string> = new Set([
  "tools/call",
  "tools/list",
  "prompts/get",
  "prompts/list",
  "resources/read",
  "resources/list",
  "resources/templates/list",
  "completion/complete"
])

interface LoadedHook {
  readonly declaration: HookDeclaration
  readonly run: HookModule.McpCallBefore
}

/** The source; modules are loaded only where the trust gate lets them. */
export const make: Effect.Effect<HeaderSource, never, TrustGate | Path.Path> = Effect.gen(function* () {
  const gate = yield* TrustGate
  const path = yield* Path.Path
  const loaded = new WeakMap<ServerEntry, ReadonlyArray<LoadedHook>>()
  // A retry or resume of a call comes with the same context object.
  const applied = new WeakMap<CallContext, HeaderPatch.HeaderPatch>()

  const load = Effect.fnUntraced(function* (
    entry: ServerEntry
  ): Effect.fn.Return<ReadonlyArray<LoadedHook>, HeaderError> {
    const earlier = loaded.get(entry)
    if (earlier !== undefined) return earlier
    const permit = yield* gate.require(entry)
    const hooks: Array<LoadedHook> = []
    for (const declaration of entry.hooks) {
      const run = yield* HookModule.load(declaration.path, declaration).pipe(
        Effect.provideService(Path.Path, path),
        Effect.mapError((reason) => inEntry(entry, reason))
      )
      if (run !== undefined) hooks.push({ declaration, run })
    }
    yield* permit.verify
    loaded.set(entry, hooks)
    return hooks
  })

  const resolve = Effect.fnUntraced(function* (
    entry: ServerEntry,
    call: CallContext,
    soFar: ResolvedHeaders
  ): Effect.fn.Return<HeaderPatch.HeaderPatch, HeaderError> {
    if (entry.hooks.length === 0 || call.method === undefined || !HOOKED_METHODS.has(call.method)) {
      return HeaderPatch.empty(ID, Rank.hook)
    }
    const before = applied.get(call)
    if (before !== undefined) return before
    if (call.sessionId === undefined) {
      return yield* inEntry(entry, new CallContextMissing({ fact: "sessionId" }))
    }
    const input: HookModule.HookInput = {
      server: entry.name,
      tool: call.tool ?? "",
      sessionID: call.sessionId,
      callID: call.callId ?? "",
      method: call.method
    }
    const headers = HookHeaders.make(
      soFar.provenance.flatMap((field) =>
        field.value === undefined
          ? []
          : [{ name: field.name, value: Redacted.value(field.value), visible: field.source === StaticSource.ID }]
      )
    )
    for (const hook of yield* load(entry)) {
      const left = yield* runHook(hook, { ...input }, { headers: headers.view() }).pipe(
        Effect.mapError((reason) => inEntry(entry, reason))
      )
      headers.take(left, hook.declaration.path)
    }
    const patch = yield* toPatch(entry, headers.changes())
    applied.set(call, patch)
    return patch
  })

  return { id: ID, rank: Rank.hook, lifetime: "call", resolve }
})

const runHook = (
  hook: LoadedHook,
  input: HookModule.HookInput,
  output: HookModule.HookOutput
): Effect.Effect<HookHeaders.Fields, HookFailed> =>
  Effect.tryPromise({
    try: async () => {
      await hook.run(input, output)
      return HookHeaders.read(output.headers)
    },
    catch: (cause) =>
      new HookFailed({ module: hook.declaration.path, description: `threw (${HookModule.kindOf(cause)})` })
  }).pipe(
    Effect.timeoutOrElse({
      duration: HOOK_BUDGET,
      orElse: () =>
        Effect.fail(
          new HookFailed({ module: hook.declaration.path, description: `did not settle within ${HOOK_BUDGET} ms` })
        )
    })
  )

const toPatch = Effect.fnUntraced(function* (
  entry: ServerEntry,
  changes: ReadonlyArray<HookHeaders.Change>
): Effect.fn.Return<HeaderPatch.HeaderPatch, HeaderError> {
  const set: Array<HeaderPatch.SetField> = []
  const remove: Array<HeaderPatch.RemovedField> = []
  const omitted: Array<HeaderPatch.OmittedField> = []
  for (const change of changes) {
    const declared = describe(entry, change.module)
    if (change.value !== undefined && change.value.length > 0) {
      set.push(
        yield* Effect.fromResult(HeaderPatch.setField(change.name, change.value, declared)).pipe(
          Effect.mapError((reason) => inEntry(entry, reason))
        )
      )
    } else if (change.existed) {
      remove.push({ name: change.name, declared })
    } else {
      omitted.push({ name: change.name, declared, why: "its value is empty" })
    }
  }
  return { ...HeaderPatch.empty(ID, Rank.hook), set, remove, omitted }
})

const describe = (entry: ServerEntry, module: string): string => {
  const declaration = entry.hooks.find((hook) => hook.path === module)
  return declaration === undefined ? module : `${module} · ${formatPlace(declaration.place)}`
}

const inEntry = (entry: ServerEntry, reason: HeaderErrorReason): HeaderError =>
  new HeaderError({ server: entry.name, source: ID, reason })
