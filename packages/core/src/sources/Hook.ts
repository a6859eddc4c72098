/**
 * One hook, of either kind: a function of a module of the configuration, or an effect of the runtime.
 *
 * A hook of the runtime that has its answer at once, as an `Exit`, is read on the spot. Whatever else there is to wait
 * for runs in a fiber of its own and ends at its budget. Of what goes wrong only the kind is shown, never the text.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import { type CallContext, CurrentCall } from "../call/CallContext.ts"
import { HookFailed } from "../headers/HeaderError.ts"
import { formatPlace, type HookModule as HookDeclaration } from "../server/ServerEntry.ts"
import { isSettled } from "../Settled.ts"
import * as CallHooks from "./CallHooks.ts"
import * as HookHeaders from "./HookHeaders.ts"
import * as HookModule from "./HookModule.ts"

/** Milliseconds that one hook may take for one call. A hook that never yields to the event loop cannot be stopped. */
export const HOOK_BUDGET = 5_000

/** A hook of either kind. */
export interface Hook {
  /** Where it is declared. */
  readonly declared: string
  /** Lets it see and change the headers. An `Exit` where nothing has to be awaited. */
  readonly run: (
    input: HookModule.HookInput,
    headers: HookHeaders.HookHeaders,
    call: CallContext
  ) => Effect.Effect<void, HookFailed>
}

/** A module's function, which may return a promise. */
export const ofModule = (declaration: HookDeclaration, run: HookModule.McpCallBefore): Hook => {
  const declared = `${declaration.path} · ${formatPlace(declaration.place)}`
  return {
    declared,
    run: (input, headers) =>
      Effect.tryPromise({
        try: async () => {
          const output: HookModule.HookOutput = { headers: headers.view() }
          await run(input, output)
          return HookHeaders.read(output.headers)
        },
        catch: (cause) =>
          new HookFailed({ module: declaration.path, description: `threw (${HookModule.kindOf(cause)})` })
      }).pipe(
        withinBudget(declaration.path),
        Effect.map((left) => headers.take(left, declared))
      )
  }
}

/** A hook that the runtime brings itself. */
export const ofRuntime = (hook: CallHooks.CallHook): Hook => {
  const declared = `${hook.name} of the runtime`
  const failed = (cause: Cause.Cause<unknown>) =>
    new HookFailed({ module: hook.name, description: CallHooks.describe(cause) })
  return {
    declared,
    run: (input, headers, call) => {
      const changes = started(hook, input, headers, call)
      if (!isSettled(changes)) {
        return changes.pipe(
          Effect.provideService(CurrentCall, call),
          // A copy; what the hook returned is its own object, and reading it can throw.
          Effect.map(HookHeaders.read),
          Effect.catchCause((cause) => Effect.fail(failed(cause))),
          withinBudget(hook.name),
          Effect.map((fields) => headers.change(fields, declared))
        )
      }
      if (Exit.isFailure(changes)) return Exit.fail(failed(changes.cause))
      try {
        headers.change(HookHeaders.read(changes.value), declared)
        return Exit.void
      } catch (defect) {
        return Exit.fail(failed(Cause.die(defect)))
      }
    }
  }
}

const started: (hook: CallHooks.CallHook, ...of: Parameters<Hook["run"]>) => ReturnType<CallHooks.CallHook["run"]> = (
  hook,
  input,
  headers,
  call
) => {
  try {
    return hook.run(input, headers.view(), call)
  } catch (defect) {
    return Exit.die(defect)
  }
}

/**
 * Ends a hook at its budget, and with the call. It runs in a fiber of its own, so that one that cannot be interrupted
 * holds up nobody, and one that interrupts itself does not interrupt the call.
 */
const withinBudget =
  (name: string) =>
  <A>(run: Effect.Effect<A, HookFailed>): Effect.Effect<A, HookFailed> =>
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
