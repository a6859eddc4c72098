/**
 * F50 over the other rows: whatever goes wrong, a secret is in no log, span, metric, error, output, argument list or file
 * but the secret store. Here are the secrets, one for each place where one can stand: in what a helper
 * prints, a header, a variable, a URL, the environment that an entry adds, a file, an exception, an incoming header, the
 * secret store.
 */
import { assert } from "@effect/vitest"
import type { CallContext } from "@letterhead/core/call/CallContext"
import { HeaderResolver } from "@letterhead/core/HeaderResolver"
import type { ServerEntry } from "@letterhead/core/server/ServerEntry"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { chmodSync, existsSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Letterhead from "letterhead/Letterhead"
import * as Evidence from "./Evidence.ts"

/** Each by where it stands. */
export const PRINTED = "canary7f3a91printed"
export const HEADER = "canary02b55dheader"
export const VARIABLE = "canary19de84variable"
export const IN_URL = "canary5b7d20url"
export const ADDED = "canaryc4a1f7added"
export const IN_FILE = "canary83e6b2file"
export const THROWN = "canaryd90c35thrown"
export const INCOMING = "canary6e12a8incoming"
export const STORED = "canaryf57b04stored"
/** One that JSON, a URL and a form each write otherwise. */
export const QUOTED = `canary3e"8\\d1/f 5+b&quoted`
/** In what is sent as base64. */
export const PASSWORD = "canaryb81c0epassword"
export const SECRETS = [PRINTED, HEADER, VARIABLE, IN_URL, ADDED, IN_FILE, THROWN, INCOMING, STORED, QUOTED, PASSWORD]

/** Milliseconds for a test of many processes. */
export const TIMEOUT = 120_000

/** A folder, services that keep what they keep in it, and evidence, as long as the scope. */
export const scene = Effect.gen(function* () {
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => realpathSync(mkdtempSync(join(tmpdir(), "letterhead-evidence-")))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
  )
  const state = join(folder, "state")
  const write = (name: string, text: string, mode = 0o600): string => {
    const file = join(folder, name)
    writeFileSync(file, text, { mode })
    chmodSync(file, mode)
    return file
  }
  /** One that runs are using must not change under them. */
  const writeOnce: typeof write = (name, text, mode) =>
    existsSync(join(folder, name)) ? join(folder, name) : write(name, text, mode)
  const layerWith = (options: Letterhead.Options = {}) =>
    Letterhead.layer({
      servers: [],
      stateDirectory: state,
      credentialsDirectory: join(folder, "credentials"),
      credentialStorage: "filesystem",
      environment: { PATH: process.env["PATH"], HOME: folder, SECRET: VARIABLE, SPLIT: `${VARIABLE}\r\nX-Other: a` },
      ...options
    })
  return { folder, state, write, writeOnce, layerWith, evidence: yield* Evidence.make }
})

export type Scene = Effect.Success<typeof scene>

/** A call that hooks are asked about. */
export const CALL: CallContext = {
  principal: "local",
  sessionId: "s-1",
  callId: "c-1",
  method: "tools/call",
  tool: "echo"
}

/** What a call to `target` would carry. */
export const resolve = (target: ServerEntry, call: CallContext = CALL) =>
  Effect.gen(function* () {
    const headers = yield* (yield* HeaderResolver).open(target, call)
    return yield* headers.resolve(call)
  }).pipe(Effect.scoped)

/** The innermost reason of a failure, `Success`, or the kind of the defect. */
export const outcome = (exit: Exit.Exit<unknown, unknown>): string => {
  if (Exit.isSuccess(exit)) return "Success"
  let found: unknown = Cause.squash(exit.cause)
  for (let inner = found; typeof inner === "object" && inner !== null;) {
    found = inner
    inner = "reason" in inner ? inner.reason : "error" in inner ? inner.error : undefined
  }
  return typeof found === "object" && found !== null && "_tag" in found ? String(found._tag) : typeof found
}

/** No secret is in anything that was let out, nor one of `more`. */
export const expectNothing = (evidence: Evidence.Evidence, more: Iterable<string> = []) =>
  assert.deepStrictEqual(evidence.find([...SECRETS, ...more]), [])
