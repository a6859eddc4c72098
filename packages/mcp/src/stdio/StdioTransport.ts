/**
 * The SDK's transport over the standard streams of a program: one JSON-RPC message a line.
 *
 * What the program prints that is no message is skipped and noted at debug level, without its text. A line that is
 * longer than {@link LINE_LIMIT} ends the program. When the program ends, whoever waits is told how (`ProgramEnded`);
 * one transport is one program, and a new connection starts a new one.
 *
 * A client that speaks both eras asks `server/discover` first. Programs of the legacy era may not answer what comes
 * before `initialize`, and some end on it. Both say the same, so it is said in their place, as the specification wants
 * it: the question is answered with "method not found" after some time, or by a program that was started once more.
 */
import {
  deserializeMessage,
  type JSONRPCMessage,
  serializeMessage,
  type Transport,
  type TransportSendOptions
} from "@modelcontextprotocol/client"
import type { ServerEntry } from "@letterhead/core/server/ServerEntry"
import { DRAIN } from "@letterhead/core/helper/HelperProcess"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { RequestId } from "../call/CallCorrelation.ts"
import { ConnectionClosed, type McpErrorReason, ProgramEnded } from "../McpError.ts"
import { isAnswer, isRequest } from "../message/MessageKind.ts"
import { RequestFailure } from "../failure/RequestFailure.ts"
import { StdioLines } from "./StdioLines.ts"
import type { Program, StdioPrograms } from "./StdioPrograms.ts"

/** Bytes of one message of a program. */
export const LINE_LIMIT = 16 * 1024 * 1024
/** Milliseconds that `server/discover` waits for an answer at most; never more than a third of the time to connect. */
export const DISCOVER_TIMEOUT = 10_000
/** Skipped lines of one program that are noted. */
export const NOTED_LINES = 20
/** Milliseconds that a program which has closed a stream may still take to end by itself. */
const LINGER = 1_000

/** A transport that is not started; it is closed with the scope. `onended` is told why the program is gone. */
export const make = Effect.fnUntraced(function* (
  programs: StdioPrograms["Service"],
  entry: ServerEntry,
  onended: (reason: McpErrorReason) => void
): Effect.fn.Return<StdioTransport, never, Scope.Scope> {
  const services = yield* Effect.context()
  return yield* Effect.acquireRelease(
    Effect.sync(
      () =>
        new StdioTransport({
          server: entry.name,
          start: launch(programs, entry),
          run: (effect, signal) => Effect.runPromiseWith(services)(effect, signal === undefined ? {} : { signal }),
          discoverTimeout: Math.min(DISCOVER_TIMEOUT, entry.connectTimeout / 3),
          onended
        })
    ),
    (transport) => Effect.promise(() => transport.close())
  )
})

/** A program with the scope that ends it. */
interface Running {
  readonly program: Program
  readonly scope: Scope.Closeable
}

/** In a scope of its own, which {@link StdioTransport.close} closes. */
const launch = Effect.fnUntraced(function* (
  programs: StdioPrograms["Service"],
  entry: ServerEntry
): Effect.fn.Return<Running, RequestFailure> {
  const scope = yield* Scope.make()
  const program = yield* programs.start(entry).pipe(
    Scope.provide(scope),
    Effect.mapError((error) => new RequestFailure(error.reason)),
    Effect.onExit((exit) => (Exit.isFailure(exit) ? Scope.close(scope, exit) : Effect.void))
  )
  return { program, scope }
})

interface StdioOptions {
  readonly server: string
  readonly start: Effect.Effect<Running, RequestFailure>
  readonly run: <A, E>(effect: Effect.Effect<A, E>, signal?: AbortSignal) => Promise<A>
  /** Milliseconds. */
  readonly discoverTimeout: number
  readonly onended: (reason: McpErrorReason) => void
}

export class StdioTransport implements Transport {
  onclose?: (() => void) | undefined
  onerror?: ((error: Error) => void) | undefined
  onmessage?: Transport["onmessage"]

  readonly #options: StdioOptions
  #running: Running | undefined
  #starting: Promise<void> | undefined
  #closing: Promise<void> | undefined
  #failure: McpErrorReason | undefined
  /** The `server/discover` that waits for its answer, and what ends the waiting. */
  #question: { readonly id: RequestId; readonly answered: AbortController } | undefined
  /** The one that was answered in the program's place. */
  #answeredId: RequestId | undefined
  #spoken = false
  #startedAgain = false
  #skipped = 0

  constructor(options: StdioOptions) {
    this.#options = options
  }

  start(): Promise<void> {
    return (this.#starting ??= this.#start())
  }

  /** Ends the program; see `StdioPrograms` for how. */
  close(): Promise<void> {
    return (this.#closing ??= this.#close(new ConnectionClosed({ description: "the connection was closed" })))
  }

  async send(message: JSONRPCMessage, options?: TransportSendOptions): Promise<void> {
    const running = this.#running
    if (running === undefined || this.#failure !== undefined) throw this.#gone()
    const asks = !this.#spoken && isRequest(message) && message.method === "server/discover"
    if (asks) this.#ask(message.id)
    const { run } = this.#options
    if (await run(running.program.write(serializeMessage(message)), options?.requestSignal)) return
    // The end of the program is the answer to its question; see below.
    if (asks) return
    throw new RequestFailure(await run(this.#lingering(running.program, "closed its standard input")))
  }

  async #start(): Promise<void> {
    const { run, start } = this.#options
    const running = await run(start)
    this.#running = running
    if (this.#closing !== undefined) return run(Scope.close(running.scope, Exit.void))
    // Not awaited: it goes on until the program has ended, and reads while it is being ended.
    void run(this.#attend(running.program)).then((reason) => this.#end(running, reason))
  }

  /** Reads what the program prints until it ends. */
  #attend(program: Program): Effect.Effect<McpErrorReason> {
    const lines = new StdioLines(LINE_LIMIT)
    const read = Stream.runForEach(program.output, (chunk) => this.#receive(lines.push(chunk)))
    return Effect.gen({ self: this }, function* () {
      const reading = yield* Effect.forkChild(read)
      const closed = Effect.andThen(Fiber.join(reading), this.#lingering(program, "closed its standard output"))
      const reason = yield* Effect.raceFirst(
        program.ended,
        Effect.catch(closed, (rule) => Effect.succeed(this.#ended(rule)))
      )
      // What it still said counts; a descendant may hold the pipe open.
      yield* Effect.timeoutOption(Fiber.await(reading), DRAIN)
      return reason
    }).pipe(Effect.scoped)
  }

  /** How a program that closed a stream ends, or that it did not. */
  #lingering(program: Program, rule: string): Effect.Effect<ProgramEnded> {
    return Effect.timeoutOrElse(program.ended, {
      duration: LINGER,
      orElse: () => Effect.succeed(this.#ended(`${rule} and was ended`))
    })
  }

  #ended(ending: string): ProgramEnded {
    return new ProgramEnded({
      server: this.#options.server,
      ending,
      code: undefined,
      signal: undefined,
      standardError: [],
      withheld: []
    })
  }

  /** Hands on the messages among some lines; fails where one is too long. */
  #receive(lines: ReturnType<StdioLines["push"]>): Effect.Effect<void, string> {
    let skipped = 0
    for (const { cut, text } of lines) {
      if (cut) return Effect.fail(`printed a line of more than ${LINE_LIMIT} bytes and was ended`)
      if (text.trim() === "") continue
      const message = parse(text)
      if (message === undefined) skipped += 1
      else this.#pass(message)
    }
    return skipped === 0 ? Effect.void : this.#note(skipped)
  }

  #note(skipped: number): Effect.Effect<void> {
    const before = this.#skipped
    this.#skipped += skipped
    if (before >= NOTED_LINES) return Effect.void
    const more = this.#skipped >= NOTED_LINES ? "; further ones are not noted" : ""
    return Effect.logDebug(
      `server "${this.#options.server}" printed ${skipped} lines that are no messages; they were skipped${more}`
    )
  }

  #pass(message: JSONRPCMessage): void {
    if (this.#closing !== undefined) return
    this.#spoken = true
    if (isAnswer(message)) {
      if (message.id !== undefined && message.id === this.#answeredId) return
      if (message.id === this.#question?.id) this.#settle()
    }
    this.onmessage?.(message)
  }

  #ask(id: RequestId): void {
    const answered = new AbortController()
    this.#question = { id, answered }
    const { discoverTimeout, run } = this.#options
    run(Effect.sleep(discoverTimeout), answered.signal).then(
      () => this.#answer(),
      () => {}
    )
  }

  #settle(): void {
    this.#question?.answered.abort()
    this.#question = undefined
  }

  /** Answers the question in the program's place, where it still waits. */
  #answer(): void {
    if (this.#question === undefined) return
    const { id } = this.#question
    this.#settle()
    this.#answeredId = id
    this.onmessage?.({ jsonrpc: "2.0", id, error: { code: METHOD_NOT_FOUND, message: NO_ANSWER } })
  }

  #end(running: Running, reason: McpErrorReason): void {
    if (this.#closing !== undefined) return
    if (this.#question !== undefined && !this.#spoken && !this.#startedAgain) void this.#startAgain(running)
    else this.#closing = this.#close(reason)
  }

  /** Starts a program once more that ended on `server/discover`, which is how some say that they do not know it. */
  async #startAgain(running: Running): Promise<void> {
    this.#startedAgain = true
    await this.#options.run(Scope.close(running.scope, Exit.void))
    if (this.#closing !== undefined) return
    try {
      await (this.#starting = this.#start())
      this.#answer()
    } catch (error) {
      if (error instanceof RequestFailure) this.#closing ??= this.#close(error.reason)
    }
  }

  async #close(reason: McpErrorReason): Promise<void> {
    this.#failure = reason
    this.#settle()
    const ended = !(reason instanceof ConnectionClosed)
    if (ended) {
      this.#options.onended(reason)
      this.onerror?.(new RequestFailure(reason))
      this.onclose?.()
    }
    await this.#starting?.catch(() => {})
    if (this.#running !== undefined) await this.#options.run(Scope.close(this.#running.scope, Exit.void))
    if (!ended) this.onclose?.()
  }

  #gone(): RequestFailure {
    return new RequestFailure(this.#failure ?? new ConnectionClosed({ description: "the program is not running" }))
  }
}

const METHOD_NOT_FOUND = -32_601
const NO_ANSWER = "the program does not answer server/discover"

/** The message that a line is; nothing of a line that is none is kept. */
const parse = (text: string): JSONRPCMessage | undefined => {
  try {
    return deserializeMessage(text)
  } catch {
    return undefined
  }
}
