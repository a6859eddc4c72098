/**
 * The body of an answer on its way from the socket to whoever reads it: as a whole, or as a web stream.
 *
 * Until somebody reads, a little is kept and the socket is then left alone; a body that is read as a whole goes through
 * no stream. What is read is bounded: a whole body by its bytes, an event stream by those of one event.
 */
import { ReadableStream } from "node:stream/web"
import { ConnectionClosed, ProtocolFailed } from "../McpError.ts"
import { RequestFailure } from "../failure/RequestFailure.ts"

/** Bytes that are kept for a reader who has not come yet, or is slower than the server. */
const HIGH_WATER = 64 * 1024

/** What the bytes come from. */
export interface Source {
  resume(): void
  /** Ends it: the socket is closed, and nothing more comes. */
  abort(reason: unknown): void
}

export interface ResponseBodyOptions {
  /** Bytes of the whole, or of one event. */
  readonly limit: number
  /** Whether the bytes are those of an event stream. */
  readonly events: boolean
  /** Told once where the limit is exceeded. */
  readonly onExceeded?: ((failure: RequestFailure) => void) | undefined
}

/** Where bytes are poured into, such as the controller of a web stream. */
export interface Sink {
  readonly enqueue: (chunk: Uint8Array) => void
  readonly close: () => void
  readonly error: (error: unknown) => void
  /** Bytes that it takes before the source is to wait; `null` where it takes none any more. */
  readonly desiredSize: number | null
}

/** Somebody waits for the first bytes. */
interface Glance {
  readonly isEnough: (bytes: Buffer) => boolean
  readonly resolve: (bytes: Buffer | undefined) => void
}

interface Collector {
  readonly resolve: (bytes: Buffer) => void
  readonly reject: (error: unknown) => void
}

export class ResponseBody {
  readonly #source: Source
  readonly #options: ResponseBodyOptions
  #chunks: Array<Buffer> = []
  /** Bytes of the whole, or of the event that has begun. */
  #size = 0
  /** The last two bytes of a stream of events: an empty line may have begun in them. */
  #tail = ""
  #state: "open" | "ended" | "failed" = "open"
  #error: unknown
  #collector: Collector | undefined
  #sink: Sink | undefined
  #glance: Glance | undefined

  constructor(source: Source, options: ResponseBodyOptions) {
    this.#source = source
    this.#options = options
  }

  /** Takes bytes; `false` asks the source to pause. */
  push(chunk: Buffer): boolean {
    if (this.#state !== "open") return true
    if (this.#options.events) this.#measureEvent(chunk)
    else this.#size += chunk.byteLength
    if (this.#size > this.#options.limit) {
      this.#exceed()
      return true
    }
    if (this.#sink !== undefined) {
      this.#sink.enqueue(bytesOf(chunk))
      return (this.#sink.desiredSize ?? 0) > 0
    }
    this.#chunks.push(chunk)
    this.#show()
    return this.#collector !== undefined || this.#size < HIGH_WATER
  }

  /** The server said all. */
  end(): void {
    if (this.#state !== "open") return
    this.#state = "ended"
    this.#collector?.resolve(this.#take())
    this.#sink?.close()
    this.#show()
  }

  /** It breaks off. */
  fail(error: unknown): void {
    if (this.#state !== "open") return
    this.#state = "failed"
    this.#error = error
    this.#chunks = []
    this.#collector?.reject(error)
    this.#sink?.error(error)
    this.#show()
  }

  /** Puts bytes before all others; nobody may have read any. */
  begin(chunk: Buffer): void {
    if (this.#state !== "failed") this.#chunks.unshift(chunk)
  }

  /** The whole body. Read once: as a whole or as a stream. */
  collect(): Promise<Buffer> {
    if (this.#state === "failed") return Promise.reject(this.#error)
    if (this.#state === "ended") return Promise.resolve(this.#take())
    return new Promise<Buffer>((resolve, reject) => {
      this.#collector = { resolve, reject }
      this.#source.resume()
    })
  }

  /**
   * The bytes that have come, which stay where they are: as soon as they are enough, or all, or as many as are kept for a
   * reader who has not come. `undefined` where the body breaks off before. Nobody may have read any.
   */
  glance(isEnough: (bytes: Buffer) => boolean): Promise<Buffer | undefined> {
    return new Promise((resolve) => {
      this.#glance = { isEnough, resolve }
      this.#show()
    })
  }

  /** Pours what has come, without its first bytes, and what comes, into a sink. */
  pour(sink: Sink, without = 0): void {
    if (this.#state === "failed") return sink.error(this.#error)
    const chunks = without === 0 ? this.#chunks : [this.#whole().subarray(without)]
    this.#chunks = []
    for (const chunk of chunks) if (chunk.byteLength > 0) sink.enqueue(bytesOf(chunk))
    if (this.#state === "ended") return sink.close()
    this.#sink = sink
    // It may have been told to wait for a reader.
    if ((sink.desiredSize ?? 0) > 0) this.#source.resume()
  }

  /** The body as a stream; to cancel it closes the socket. */
  stream(): ReadableStream<Uint8Array> {
    return new ReadableStream<Uint8Array>(
      {
        start: (controller) => this.pour(controller),
        pull: () => this.#source.resume(),
        cancel: (reason) => this.cancel(reason)
      },
      { highWaterMark: HIGH_WATER, size: (chunk) => chunk?.byteLength ?? 0 }
    )
  }

  /** Gives up what is left. */
  cancel(reason?: unknown): void {
    if (this.#state !== "open") return
    this.#state = "ended"
    this.#chunks = []
    this.#source.abort(reason ?? new ConnectionClosed({ description: "nobody reads the answer" }))
  }

  /** An empty line ends an event, also one of which a part came before. */
  #measureEvent(chunk: Buffer): void {
    const end = Math.max(chunk.lastIndexOf("\n\n"), chunk.lastIndexOf("\r\r"), chunk.lastIndexOf("\n\r\n"))
    const seam = this.#tail + chunk.toString("latin1", 0, 2)
    if (end !== -1) this.#size = chunk.byteLength - end
    else this.#size = /\n\r?\n|\r\r/.test(seam) ? chunk.byteLength : this.#size + chunk.byteLength
    this.#tail = (this.#tail + chunk.toString("latin1", Math.max(0, chunk.byteLength - 2))).slice(-2)
  }

  #take(): Buffer {
    const whole = this.#whole()
    this.#chunks = []
    return whole
  }

  /** What has come, in one piece. */
  #whole(): Buffer {
    const [first, ...others] = this.#chunks
    if (first === undefined) return Buffer.alloc(0)
    if (others.length === 0) return first
    const whole = Buffer.concat(this.#chunks)
    this.#chunks = [whole]
    return whole
  }

  /** Shows what has come to who waits for the first of it. */
  #show(): void {
    if (this.#glance === undefined) return
    const { isEnough, resolve } = this.#glance
    const bytes = this.#state === "failed" ? undefined : this.#whole()
    const isLast = bytes === undefined || this.#state === "ended" || bytes.byteLength >= HIGH_WATER
    if (!isLast && !isEnough(bytes)) return
    this.#glance = undefined
    resolve(bytes)
  }

  #exceed(): void {
    const what = this.#options.events ? "an event of the server's stream" : "the server's answer"
    const failure = new RequestFailure(
      new ProtocolFailed({
        code: undefined,
        description: `${what} has more than ${this.#options.limit} bytes; HttpLimits says how many it may have`
      })
    )
    this.#options.onExceeded?.(failure)
    this.fail(failure)
    this.#source.abort(failure)
  }
}

/** The same bytes as the platform's own kind of array. */
const bytesOf = (chunk: Buffer): Uint8Array => new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength)
