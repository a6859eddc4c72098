/**
 * The headers that hooks add, override and remove, call by call.
 *
 * Hooks run in order, once per call: the modules of the entry, then the runtime's own ({@link CallHooks}), which have
 * the last word. Each sees what the one before left. What they did is applied again to the retries and resumes of the
 * same call. They do not run for what the connection sends of its own accord. Changes a hook makes after it settled do
 * nothing. A hook that throws, fails, dies, is interrupted or does not settle in time fails the call. Where all of them
 * have their answer at once, so has the source.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Path from "effect/Path"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type { CallContext } from "../call/CallContext.ts"
import {
  CallContextMissing,
  HeaderError,
  HeaderInvalid,
  type HeaderErrorReason,
  type HookFailed
} from "../headers/HeaderError.ts"
import { nameDefect } from "../headers/HeaderField.ts"
import * as HeaderPatch from "../headers/HeaderPatch.ts"
import type { Provenance, ResolvedHeaders } from "../headers/ResolvedHeaders.ts"
import type { ServerEntry } from "../server/ServerEntry.ts"
import { isSettled } from "../Settled.ts"
import { TrustGate } from "../trust/TrustGate.ts"
import * as CallHooks from "./CallHooks.ts"
import { type HeaderSource, Rank } from "./HeaderSource.ts"
import * as Hook from "./Hook.ts"
import { type Change, HookHeaders, type ShownField } from "./HookHeaders.ts"
import * as HookModule from "./HookModule.ts"
import * as StaticSource from "./StaticSource.ts"

export const ID = "hook"

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

type Answer = Effect.Effect<HeaderPatch.HeaderPatch, HeaderError>

/** What is known of an entry. */
interface EntryHooks {
  /** The runtime's own that are for it. */
  readonly own: ReadonlyArray<Hook.Hook>
  /** All of them, in order; absent until the modules are loaded. */
  all: ReadonlyArray<Hook.Hook> | undefined
}

/** The source; modules are loaded only where the trust gate lets them. */
export const make: Effect.Effect<HeaderSource, never, TrustGate | Path.Path> = Effect.gen(function* () {
  const gate = yield* TrustGate
  const path = yield* Path.Path
  const callHooks = (yield* CallHooks.CallHooks).map((hook) => ({ hook, run: Hook.ofRuntime(hook) }))
  const known = new WeakMap<ServerEntry, EntryHooks>()

  const hooksOf = (entry: ServerEntry): EntryHooks => {
    const earlier = known.get(entry)
    if (earlier !== undefined) return earlier
    const own = callHooks.flatMap(({ hook, run }) => (CallHooks.concerns(hook, entry) ? [run] : []))
    const hooks = { own, all: entry.hooks.length === 0 ? own : undefined }
    known.set(entry, hooks)
    return hooks
  }
  const applies = (entry: ServerEntry) => entry.hooks.length + hooksOf(entry).own.length > 0

  const load = Effect.fnUntraced(function* (
    entry: ServerEntry
  ): Effect.fn.Return<ReadonlyArray<Hook.Hook>, HeaderError> {
    const hooks = hooksOf(entry)
    const permit = yield* gate.require(entry)
    const modules: Array<Hook.Hook> = []
    for (const declaration of entry.hooks) {
      const run = yield* HookModule.load(declaration.path, declaration).pipe(
        Effect.provideService(Path.Path, path),
        Effect.mapError((reason) => inEntry(entry, reason))
      )
      if (run !== undefined) modules.push(Hook.ofModule(declaration, run))
    }
    yield* permit.verify
    return (hooks.all = [...modules, ...hooks.own])
  })

  const resolve: HeaderSource["resolve"] = (entry, call, soFar, before) => {
    if (call.method === undefined || !HOOKED_METHODS.has(call.method)) return NOTHING
    if (before !== undefined) return Exit.succeed(before.patchOf(ID) ?? HeaderPatch.empty(ID, Rank.hook))
    const { all } = hooksOf(entry)
    return all === undefined
      ? Effect.flatMap(load(entry), (hooks) => apply(entry, hooks, call, soFar))
      : apply(entry, all, call, soFar)
  }

  return { id: ID, rank: Rank.hook, lifetime: "call", applies, resolve }
})

const apply = (
  entry: ServerEntry,
  hooks: ReadonlyArray<Hook.Hook>,
  call: CallContext,
  soFar: () => Exit.Exit<ResolvedHeaders, HeaderError>
): Answer => {
  if (hooks.length === 0) return NOTHING
  if (call.sessionId === undefined) {
    return Exit.fail(inEntry(entry, new CallContextMissing({ fact: "sessionId" })))
  }
  const below = soFar()
  if (Exit.isFailure(below)) return Exit.failCause(below.cause)
  const input: HookModule.HookInput = {
    server: entry.name,
    tool: call.tool ?? "",
    sessionID: call.sessionId,
    callID: call.callId ?? "",
    method: call.method ?? ""
  }
  const headers = new HookHeaders({
    all: () => below.value.provenance.flatMap((field) => shown(field) ?? []),
    get: (name) => shown(below.value.get(name))
  })
  const runFrom = (index: number): Answer => {
    const hook = hooks[index]
    if (hook === undefined) {
      const patch = toPatch(entry, headers.changes())
      if (Result.isFailure(patch)) return Exit.fail(patch.failure)
      return Exit.succeed(patch.success)
    }
    const ran = hook.run({ ...input }, headers, call)
    if (isSettled(ran)) return Exit.isFailure(ran) ? failedIn(entry, ran.cause) : runFrom(index + 1)
    return Effect.matchCauseEffect(ran, {
      onSuccess: () => runFrom(index + 1),
      onFailure: (cause) => failedIn(entry, cause)
    })
  }
  return runFrom(0)
}

const NOTHING: Answer = Exit.succeed(HeaderPatch.empty(ID, Rank.hook))

/** What hooks are shown of a field that is sent. */
const shown = (field: Provenance | undefined): ShownField | undefined =>
  field?.value === undefined
    ? undefined
    : { name: field.name, value: Redacted.value(field.value), visible: field.source === StaticSource.ID }

/** What the hooks changed; fails where that is no field. */
const toPatch = (
  entry: ServerEntry,
  changes: ReadonlyArray<Change>
): Result.Result<HeaderPatch.HeaderPatch, HeaderError> => {
  const set: Array<HeaderPatch.SetField> = []
  const remove: Array<HeaderPatch.RemovedField> = []
  const omitted: Array<HeaderPatch.OmittedField> = []
  for (const { declared, existed, name, value } of changes) {
    if (value !== undefined && value.length > 0) {
      const field = setField(name, value, declared)
      if (Result.isFailure(field)) return Result.fail(inEntry(entry, field.failure))
      set.push(field.success)
    } else if (existed) {
      remove.push({ name, declared })
    } else {
      omitted.push({ name, declared, why: "its value is empty" })
    }
  }
  return Result.succeed({ ...HeaderPatch.empty(ID, Rank.hook), set, remove, omitted })
}

/** A name that a hook made and that is none is not shown: what was put there may be a value. */
const setField: typeof HeaderPatch.setField = (name, value, declared) => {
  const defect = nameDefect(name)
  return defect === undefined
    ? HeaderPatch.setField(name, value, declared)
    : Result.fail(new HeaderInvalid({ field: `(${name.length} characters)`, rule: defect }))
}

const failedIn = (entry: ServerEntry, cause: Cause.Cause<HookFailed>): Exit.Exit<never, HeaderError> =>
  Exit.failCause(Cause.map(cause, (reason) => inEntry(entry, reason)))

const inEntry = (entry: ServerEntry, reason: HeaderErrorReason): HeaderError =>
  new HeaderError({ server: entry.name, source: ID, reason })
