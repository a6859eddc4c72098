/**
 * The keychain of the operating system, through {@link KeychainProcess}.
 *
 * Guarantees an answer in bounded time whatever the keychain does: a call that takes longer than its limit is ended
 * with the process that makes it. {@link open} proves that something can be kept: it stores a value, reads it, and
 * takes it away again. Nothing of the process keeps the program that uses it alive.
 */
import { type ChildProcessByStdio, spawn } from "node:child_process"
import { createRequire } from "node:module"
import { Socket } from "node:net"
import { createInterface } from "node:readline"
import type { Readable, Writable } from "node:stream"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type { KeychainFailure, KeychainReply, KeychainRequest } from "./KeychainProcess.ts"

/** The keychain did not do it. */
export class KeychainFailed extends Data.TaggedError("KeychainFailed")<{
  /** Continues a sentence that begins with the keychain. */
  readonly why: string
}> {
  override get message(): string {
    return `the keychain ${this.why}`
  }
}

export interface Keychain {
  readonly get: (account: string) => Effect.Effect<Option.Option<Redacted.Redacted>, KeychainFailed>
  readonly set: (account: string, value: Redacted.Redacted) => Effect.Effect<void, KeychainFailed>
  /** Whether there was one. */
  readonly delete: (account: string) => Effect.Effect<boolean, KeychainFailed>
  /** Stores a value, reads it and takes it away, within {@link PROBE_LIMIT}. */
  readonly probe: Effect.Effect<void, KeychainFailed>
}

export interface KeychainOptions {
  /** The name of the service that the keychain's own tools show. */
  readonly service: string
  /** Default: the environment of the process. */
  readonly environment?: Readonly<Record<string, string | undefined>>
}

/** Milliseconds for starting and for proving that something can be kept. */
export const PROBE_LIMIT = 2_000
/** Milliseconds for one call of a keychain that did prove it. */
export const CALL_LIMIT = 5_000
/** The account of the probe; of letters that no server's account begins with. */
const PROBE_ACCOUNT = "(letterhead looks whether this keychain works)"
const PROBE_VALUE = "not a secret"

/** A keychain that works, until the scope closes. */
export const open = Effect.fnUntraced(function* (
  options: KeychainOptions
): Effect.fn.Return<Keychain, KeychainFailed, Scope.Scope> {
  const conversation = yield* Effect.acquireRelease(
    Effect.sync(() => converse(options)),
    ({ end }) => Effect.sync(end)
  )
  const { ask, end } = conversation
  const within =
    (milliseconds: number) =>
    <A>(effect: Effect.Effect<A, KeychainFailed>): Effect.Effect<A, KeychainFailed> =>
      Effect.timeoutOrElse(effect, {
        duration: milliseconds,
        orElse: () =>
          Effect.andThen(Effect.sync(end), new KeychainFailed({ why: `did not answer within ${milliseconds} ms` }))
      })
  const get = (account: string) =>
    Effect.map(ask({ verb: "get", account }), (reply) =>
      "value" in reply && reply.value !== null ? Option.some(Redacted.make(reply.value)) : Option.none()
    )
  const set = (account: string, value: Redacted.Redacted) =>
    Effect.asVoid(ask({ verb: "set", account, value: Redacted.value(value) }))
  const remove = (account: string) =>
    Effect.map(ask({ verb: "delete", account }), (reply) => "done" in reply && reply.done)

  const probe = Effect.gen(function* () {
    yield* set(PROBE_ACCOUNT, Redacted.make(PROBE_VALUE))
    const read = yield* get(PROBE_ACCOUNT)
    yield* remove(PROBE_ACCOUNT)
    yield* Option.isSome(read) && Redacted.value(read.value) === PROBE_VALUE
      ? Effect.void
      : new KeychainFailed({ why: "does not give back what was stored in it; it may be locked" })
  }).pipe(within(PROBE_LIMIT))
  yield* probe
  return {
    get: (account) => within(CALL_LIMIT)(get(account)),
    set: (account, value) => within(CALL_LIMIT)(set(account, value)),
    delete: (account) => within(CALL_LIMIT)(remove(account)),
    probe
  }
})

/** What another program keeps there under its own service. Writes nothing, not even to prove that it could. */
export const read = (
  options: KeychainOptions,
  account: string
): Effect.Effect<Option.Option<Redacted.Redacted>, KeychainFailed> =>
  Effect.acquireUseRelease(
    Effect.sync(() => converse(options)),
    ({ ask }) => ask({ verb: "get", account }),
    ({ end }) => Effect.sync(end)
  ).pipe(
    Effect.map((reply) =>
      "value" in reply && reply.value !== null ? Option.some(Redacted.make(reply.value)) : Option.none()
    ),
    Effect.timeoutOrElse({
      duration: PROBE_LIMIT,
      orElse: () => Effect.fail(new KeychainFailed({ why: `did not answer within ${PROBE_LIMIT} ms` }))
    })
  )

type Question = KeychainRequest extends infer R ? (R extends KeychainRequest ? Omit<R, "id"> : never) : never
type Answer = Exclude<KeychainReply, { readonly failed: unknown }>

interface Conversation {
  readonly ask: (question: Question) => Effect.Effect<Answer, KeychainFailed>
  readonly end: () => void
}

const converse = (options: KeychainOptions): Conversation => {
  const program = createRequire(import.meta.url).resolve("@letterhead/keychain/KeychainProcess")
  const child = spawn(process.execPath, [program, options.service], {
    env: { ...(options.environment ?? process.env) },
    stdio: ["pipe", "pipe", "ignore"]
  })
  release(child)
  const waiting = new Map<number, (answer: Effect.Effect<Answer, KeychainFailed>) => void>()
  let ended = false
  let questions = 0
  const end = () => {
    if (ended) return
    ended = true
    child.kill("SIGKILL")
    for (const resume of waiting.values()) resume(Effect.fail(ENDED))
    waiting.clear()
  }
  child.once("error", end)
  child.once("close", end)
  child.stdin.on("error", end)
  createInterface({ input: child.stdout }).on("line", (line) => {
    const reply: KeychainReply = JSON.parse(line)
    const resume = waiting.get(reply.id)
    waiting.delete(reply.id)
    resume?.("failed" in reply ? Effect.fail(new KeychainFailed({ why: SAID[reply.failed] })) : Effect.succeed(reply))
  })
  return {
    end,
    ask: (question) =>
      Effect.callback((resume) => {
        if (ended) return resume(Effect.fail(ENDED))
        const id = ++questions
        waiting.set(id, resume)
        child.stdin.write(`${JSON.stringify({ id, ...question })}\n`)
        return Effect.sync(() => void waiting.delete(id))
      })
  }
}

/** Lets the program end while the process lives; whoever waits for an answer has a timer that keeps it. */
const release = (child: ChildProcessByStdio<Writable, Readable, null>): void => {
  child.unref()
  for (const stream of [child.stdin, child.stdout]) if (stream instanceof Socket) stream.unref()
}

const ENDED = new KeychainFailed({ why: "cannot be asked: the process that speaks to it ended" })

const SAID: Readonly<Record<KeychainFailure, string>> = {
  locked: "is locked, and nobody could be asked to unlock it",
  absent: "is not there: no service of the operating system answers",
  failed: "refused"
}
