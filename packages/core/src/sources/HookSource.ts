/**
 * The headers that hooks add, override and remove, call by call.
 *
 * Hooks run in order, once per call: the modules of the entry, then the runtime's own ({@link CallHooks}), which have
 * the last word. Each sees what the one before left. What they did is applied again to the retries and resumes of the
 * same call. They do not run for what the connection sends of its own accord. Changes a hook makes after it settled do
 * nothing. A hook that throws, fails, dies, is interrupted or does not settle in time fails the call.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { type CallContext, CurrentCall } from "../call/CallContext.ts"
import {
  CallContextMissing,
  HeaderError,
  HeaderInvalid,
  HookFailed,
  type HeaderErrorReason
} from "../headers/HeaderError.ts"
import { nameDefect } from "../headers/HeaderField.ts"
import * as HeaderPatch from "../headers/HeaderPatch.ts"
import type { ResolvedHeaders } from "../headers/ResolvedHeaders.ts"
import { formatPlace, type HookModule as HookDeclaration, type ServerEntry } from "../server/ServerEntry.ts"
import { TrustGate } from "../trust/TrustGate.ts"
import * as CallHooks from "./CallHooks.ts"
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

/** A hook of either kind. */
interface Hook {
  /** What an error calls it. */
  readonly name: string
  readonly declared: string
  /** What it leaves of the headers. */
  readonly run: (
    input: HookModule.HookInput,
    headers: HookHeaders.HookHeaders,
    call: CallContext
  ) => Effect.Effect<HookHeaders.Fields, HookFailed>
}

/** The source; modules are loaded only where the trust gate lets them. */
export const make: Effect.Effect<HeaderSource, never, TrustGate | Path.Path> = Effect.gen(function* () {
  const gate = yield* TrustGate
  const path = yield* Path.Path
  const own = yield* CallHooks.CallHooks
  const loaded = new WeakMap<ServerEntry, ReadonlyArray<Hook>>()
  // A retry or resume of a call comes with the same context object; one that a caller made may serve several entries.
  const applied = new WeakMap<CallContext, WeakMap<ServerEntry, HeaderPatch.HeaderPatch>>()

  const load = Effect.fnUntraced(function* (entry: ServerEntry): Effect.fn.Return<ReadonlyArray<Hook>, HeaderError> {
    const earlier = loaded.get(entry)
    if (earlier !== undefined) return earlier
    if (entry.hooks.length === 0) return []
    const permit = yield* gate.require(entry)
    const hooks: Array<Hook> = []
    for (const declaration of entry.hooks) {
      const run = yield* HookModule.load(declaration.path, declaration).pipe(
        Effect.provideService(Path.Path, path),
        Effect.mapError((reason) => inEntry(entry, reason))
      )
      if (run !== undefined) hooks.push(ofModule(declaration, run))
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
    const native = own.filter((hook) => CallHooks.concerns(hook, entry))
    if (entry.hooks.length + native.length === 0 || call.method === undefined || !HOOKED_METHODS.has(call.method)) {
      return HeaderPatch.empty(ID, Rank.hook)
    }
    const before = applied.get(call)?.get(entry)
    if (before !== undefined) return before
    const hooks = [...(yield* load(entry)), ...native.map(ofRuntime)]
    if (hooks.length === 0) return HeaderPatch.empty(ID, Rank.hook)
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
    for (const hook of hooks) {
      const left = yield* withinBudget(hook.name, hook.run({ ...input }, headers, call)).pipe(
        Effect.mapError((reason) => inEntry(entry, reason))
      )
      headers.take(left, hook.declared)
    }
    const patch = yield* toPatch(entry, headers.changes())
    const patches = applied.get(call) ?? new WeakMap<ServerEntry, HeaderPatch.HeaderPatch>()
    applied.set(call, patches.set(entry, patch))
    return patch
  })

  return { id: ID, rank: Rank.hook, lifetime: "call", resolve }
})

const ofModule = (declaration: HookDeclaration, run: HookModule.McpCallBefore): Hook => ({
  name: declaration.path,
  declared: `${declaration.path} · ${formatPlace(declaration.place)}`,
  run: (input, headers) =>
    Effect.tryPromise({
      try: async () => {
        const output: HookModule.HookOutput = { headers: headers.view() }
        await run(input, output)
        return HookHeaders.read(output.headers)
      },
      catch: (cause) => new HookFailed({ module: declaration.path, description: `threw (${HookModule.kindOf(cause)})` })
    })
})

const ofRuntime = (hook: CallHooks.CallHook): Hook => ({
  name: hook.name,
  declared: `${hook.name} of the runtime`,
  run: (input, headers, call) =>
    Effect.suspend(() => hook.run(input, headers.view())).pipe(
      // A copy; what the hook returned is its own object, and reading it can throw.
      Effect.map((changes) => headers.changed(HookHeaders.read(changes))),
      Effect.provideService(CurrentCall, call),
      Effect.catchCause((cause) =>
        Effect.fail(new HookFailed({ module: hook.name, description: CallHooks.describe(cause) }))
      )
    )
})

/**
 * Ends a hook at its budget, and with the call. It runs in a fiber of its own, so that one that cannot be interrupted
 * holds up nobody, and one that interrupts itself does not interrupt the call.
 */
const withinBudget = <A>(name: string, run: Effect.Effect<A, HookFailed>): Effect.Effect<A, HookFailed> =>
  Effect.acquireUseRelease(
    Effect.forkDetach(run),
    (fiber) =>
      Fiber.await(fiber).pipe(
        Effect.timeoutOrElse({
          duration: HOOK_BUDGET,
          orElse: () =>
            Effect.fail(new HookFailed({ module: name, description: `did not settle within ${HOOK_BUDGET} ms` }))
        }),
        Effect.flatMap(
          Exit.match({
            onSuccess: Effect.succeed,
            onFailure: (cause) =>
              Option.match(Cause.findErrorOption(cause), {
                onNone: () => Effect.fail(new HookFailed({ module: name, description: CallHooks.describe(cause) })),
                onSome: Effect.fail
              })
          })
        )
      ),
    (fiber) => Effect.sync(() => fiber.interruptUnsafe())
  )

const toPatch = Effect.fnUntraced(function* (
  entry: ServerEntry,
  changes: ReadonlyArray<HookHeaders.Change>
): Effect.fn.Return<HeaderPatch.HeaderPatch, HeaderError> {
  const set: Array<HeaderPatch.SetField> = []
  const remove: Array<HeaderPatch.RemovedField> = []
  const omitted: Array<HeaderPatch.OmittedField> = []
  for (const change of changes) {
    const { declared } = change
    if (change.value !== undefined && change.value.length > 0) {
      set.push(
        yield* Effect.fromResult(setField(change.name, change.value, declared)).pipe(
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

/** A name that a hook made and that is none is not shown: what was put there may be a value. */
const setField: typeof HeaderPatch.setField = (name, value, declared) => {
  const defect = nameDefect(name)
  return defect === undefined
    ? HeaderPatch.setField(name, value, declared)
    : Result.fail(new HeaderInvalid({ field: `(${name.length} characters)`, rule: defect }))
}

const inEntry = (entry: ServerEntry, reason: HeaderErrorReason): HeaderError =>
  new HeaderError({ server: entry.name, source: ID, reason })
