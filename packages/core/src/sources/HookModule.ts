/**
 * Loads hook modules: JavaScript or TypeScript whose default export has an `mcp.call.before` function.
 *
 * A module is loaded once per process, after the trust gate let it; its files are read again once it is loaded, and
 * a module that changed in between is not used.
 */
import * as Effect from "effect/Effect"
import * as Path from "effect/Path"
import * as Predicate from "effect/Predicate"
import { HookFailed } from "../headers/HeaderError.ts"

/** What a hook is told of the call. */
export interface HookInput {
  readonly server: string
  /** The tool or prompt, or the URI of a resource; empty for lists. */
  readonly tool: string
  readonly sessionID: string
  readonly callID: string
  /** The JSON-RPC method, such as `tools/call`. */
  readonly method: string
}

/** What a hook may change. */
export interface HookOutput {
  /**
   * The headers resolved so far, names without regard to case: static values in clear, of the others a mask that
   * means "keep". Add, override or `delete`; an empty or undefined value is not sent.
   */
  headers: Record<string, string | undefined>
}

/** The key of a hook in a module's default export. */
export const HOOK_KEY = "mcp.call.before"

/** A hook as a module exports it. */
export type McpCallBefore = (input: HookInput, output: HookOutput) => Promise<void> | void

/**
 * The default export of a hook module, as in `export default { … } satisfies HookPlugin`.
 *
 * A method, so that a hook may leave out what it does not look at and declare its headers as plain strings.
 */
export interface HookPlugin {
  "mcp.call.before"(input: HookInput, output: HookOutput): Promise<void> | void
}

/** The hook of the module at an absolute path; `undefined` where the module has none and `optional` lets it. */
export const load = Effect.fnUntraced(function* (
  file: string,
  options?: { readonly optional?: boolean | undefined }
): Effect.fn.Return<McpCallBefore | undefined, HookFailed, Path.Path> {
  const path = yield* Path.Path
  const failed = (description: string) => new HookFailed({ module: file, description })
  const url = yield* Effect.mapError(path.toFileUrl(file), () => failed("has a path that cannot be loaded"))
  const module: unknown = yield* Effect.tryPromise({
    try: () => import(url.href),
    // The text of the exception is the module's own and can hold anything; its kind is enough to go and look.
    catch: (cause) => failed(`could not be loaded (${kindOf(cause)})`)
  })
  const exported = Predicate.hasProperty(module, "default") ? module.default : undefined
  const hook = Predicate.hasProperty(exported, HOOK_KEY) ? exported[HOOK_KEY] : undefined
  if (hook === undefined && options?.optional === true) return undefined
  if (!isHook(hook)) return yield* failed(`has no default export with a function "${HOOK_KEY}"`)
  // Called as the method that it is: a plug-in may keep what it needs in its own object.
  return hook.bind(exported)
})

/** The kind of an exception: its code or its class, never its text. */
export const kindOf = (cause: unknown): string => {
  if (Predicate.hasProperty(cause, "code") && Predicate.isString(cause.code) && /^[A-Z_]+$/.test(cause.code)) {
    return cause.code
  }
  return cause instanceof Error ? cause.constructor.name : "not an Error"
}

const isHook = (value: unknown): value is McpCallBefore => Predicate.isFunction(value)
