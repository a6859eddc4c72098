/**
 * One request and its answer, written and read with undici's dispatcher itself: no fetch, no stream and no fiber stand
 * between the socket and the caller.
 *
 * Guarantees: it is sent at most once; nothing is followed; the end of any of its signals ends it, before the answer,
 * during its headers and during its body; informational answers (1xx) are passed over; listeners and timers are gone
 * when it is over.
 */
import type { Transform } from "node:stream"
import type { Dispatcher } from "undici"
import * as ContentDecoding from "./ContentDecoding.ts"
import { HttpResponse } from "./HttpResponse.ts"
import * as MediaType from "./MediaType.ts"
import { ConnectionClosed, ProtocolFailed } from "../McpError.ts"
import { RequestFailure } from "../failure/RequestFailure.ts"
import type { RequestGroup } from "./RequestGroup.ts"
import { ResponseBody } from "./ResponseBody.ts"

export interface ExchangeOptions {
  readonly origin: string
  /** With the query. */
  readonly path: string
  readonly method: string
  /** Names and values by turns. */
  readonly fields: Array<string>
  readonly body: string | Uint8Array | null
  /** Each of them ends it; they should live no longer than what it is sent for (see `RequestGroup`). */
  readonly signals: ReadonlyArray<AbortSignal>
  /** What it is closed with. */
  readonly group?: RequestGroup | undefined
  /** Bytes of the answer, or of one event of it. */
  readonly limit: number
  /** Milliseconds without a byte after which it is broken off; 0 for no limit. */
  readonly silence: number
  /** Whether answers are awaited on it at the moment: then it may be silent for twice as long. Default: no. */
  readonly awaited?: (() => boolean) | undefined
  /** Told when it is written to a socket; until then it waits for one. */
  readonly onStart?: (() => void) | undefined
  /** Told where the answer exceeds its limit. */
  readonly onExceeded?: ((failure: RequestFailure) => void) | undefined
}

/** Sends a request; fails with what undici reports, with a `RequestFailure`, or with the reason of a signal. */
export const send = (dispatcher: Dispatcher, options: ExchangeOptions): Promise<HttpResponse> =>
  new Promise((resolve, reject) => {
    for (const signal of options.signals) signal.throwIfAborted()
    options.group?.throwIfClosed()
    const exchange = new HttpExchange(options, resolve, reject)
    try {
      dispatcher.dispatch(
        {
          origin: options.origin,
          path: options.path,
          method: options.method,
          headers: options.fields,
          body: options.body,
          // A call may take as long as its caller allows; whoever sends it keeps the time.
          headersTimeout: 0,
          bodyTimeout: 0
        },
        exchange
      )
    } catch (error) {
      exchange.onResponseError(undefined, error)
    }
  })

const NULL_BODY: ReadonlySet<number> = new Set([204, 205, 304])

class HttpExchange implements Dispatcher.DispatchHandler {
  readonly #options: ExchangeOptions
  readonly #resolve: (response: HttpResponse) => void
  readonly #reject: (error: unknown) => void
  readonly #abort = () => this.#end(this.#options.signals.find(({ aborted }) => aborted)?.reason)
  readonly #inGroup: ReturnType<RequestGroup["enter"]> | undefined
  readonly #watchdog: NodeJS.Timeout | undefined
  #controller: Dispatcher.DispatchController | undefined
  #body: ResponseBody | undefined
  #decoder: Transform | undefined
  #over = false
  /** Whether it was silent for too long and was given more time. */
  #spared = false
  /** Why it was ended from here, where undici has not begun with it yet. */
  #ended: Error | undefined

  constructor(options: ExchangeOptions, resolve: (response: HttpResponse) => void, reject: (error: unknown) => void) {
    this.#options = options
    this.#resolve = resolve
    this.#reject = reject
    for (const signal of options.signals) signal.addEventListener("abort", this.#abort, { once: true })
    this.#inGroup = options.group?.enter((reason) => this.#end(reason))
    if (options.silence > 0) {
      this.#watchdog = setTimeout(() => this.#silent(), options.silence)
      this.#watchdog.unref()
    }
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    if (this.#ended !== undefined) controller.abort(this.#ended)
    else this.#options.onStart?.()
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    fields: Record<string, string | Array<string> | undefined>,
    statusText = ""
  ): void {
    if (status < 200 || this.#over) return
    this.#watchdog?.refresh()
    const head = { url: this.#options.origin + this.#options.path, status, statusText, fields }
    if (this.#options.method === "HEAD" || NULL_BODY.has(status)) return this.#resolve(new HttpResponse(head, null))
    const encoding = fields["content-encoding"]
    const decoder = ContentDecoding.decoder(typeof encoding === "string" ? encoding : encoding?.join(", "))
    if (decoder === "unknown") return this.#end(new RequestFailure(ENCODED))
    const body = new ResponseBody(
      {
        resume: () => (this.#decoder === undefined ? controller.resume() : this.#decoder.resume()),
        abort: (reason) => {
          this.#decoder?.destroy()
          this.#end(reason)
        }
      },
      {
        limit: this.#options.limit,
        events: MediaType.essence(String(fields["content-type"] ?? "")) === MediaType.EVENT_STREAM,
        onExceeded: this.#options.onExceeded
      }
    )
    this.#body = body
    if (decoder !== undefined) this.#decode(decoder, controller, body)
    this.#resolve(new HttpResponse(head, body))
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#over) return
    this.#watchdog?.refresh()
    this.#spared = false
    if (this.#decoder === undefined) {
      if (this.#body?.push(chunk) === false) controller.pause()
    } else if (!this.#decoder.write(chunk)) controller.pause()
  }

  onResponseEnd(): void {
    if (this.#over) return
    this.#finish()
    if (this.#decoder === undefined) this.#body?.end()
    else this.#decoder.end()
  }

  onResponseError(controller: Dispatcher.DispatchController | undefined, error: unknown): void {
    if (this.#over) return
    this.#finish()
    if (this.#body === undefined) this.#reject(error)
    else this.#break(error)
    // Where a proxy refuses a request that was not tunnelled, undici says so and lets the answer run on.
    if (controller?.aborted === false && error instanceof Error) controller.abort(error)
  }

  /** Ends it from this side: the socket is closed. */
  #end(reason: unknown): void {
    if (this.#over) return
    this.#finish()
    this.#ended = reason instanceof Error ? reason : new Error("the request was given up")
    if (this.#body === undefined) this.#reject(reason)
    else this.#break(reason)
    this.#controller?.abort(this.#ended)
  }

  #break(error: unknown): void {
    const { group, signals } = this.#options
    const known = error instanceof RequestFailure || group?.isClosed === true || signals.some(({ aborted }) => aborted)
    const failure = known ? error : new RequestFailure(BROKEN)
    this.#decoder?.destroy()
    this.#body?.fail(failure)
  }

  #finish(): void {
    this.#over = true
    clearTimeout(this.#watchdog)
    for (const signal of this.#options.signals) signal.removeEventListener("abort", this.#abort)
    if (this.#inGroup !== undefined) this.#options.group?.leave(this.#inGroup)
  }

  #silent(): void {
    const awaited = !this.#spared && this.#options.awaited?.() === true
    this.#spared = awaited
    // Nobody reads it: that nothing comes is not the server's doing. Or an answer may have been on its way.
    if (awaited || this.#controller?.paused === true) this.#watchdog?.refresh()
    else this.#end(new RequestFailure(SILENT))
  }

  #decode(decoder: Transform, controller: Dispatcher.DispatchController, body: ResponseBody): void {
    this.#decoder = decoder
    decoder.on("data", (chunk: Buffer) => {
      if (!body.push(chunk)) decoder.pause()
    })
    decoder.on("drain", () => controller.resume())
    decoder.once("end", () => body.end())
    decoder.once("error", () => {
      body.fail(new RequestFailure(GARBLED))
      this.#end(new RequestFailure(GARBLED))
    })
  }
}

const BROKEN = new ConnectionClosed({ description: "the connection broke while the answer was being read" })

const SILENT = new ConnectionClosed({ description: "the server's stream was silent for too long" })

const ENCODED = new ProtocolFailed({
  code: undefined,
  description: `the server compressed its answer in a way that was not asked for; ${ContentDecoding.ACCEPTED} are understood`
})

const GARBLED = new ProtocolFailed({
  code: undefined,
  description: "the server's answer cannot be decompressed: it is not compressed as its headers say"
})
