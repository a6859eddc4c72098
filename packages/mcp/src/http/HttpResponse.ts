/**
 * An answer as the Fetch standard's `Response`, made of what undici reports.
 *
 * It has every member of the class and is an instance of it, since code tells a `Response` by `instanceof`. Headers,
 * the web stream and everything else are made when they are asked for: a JSON answer is read without any of them.
 * Unlike fetch's own, its stream has no byte readers; one reads it chunk by chunk.
 */
import { Readable } from "node:stream"
import { ReadableStream, TransformStream } from "node:stream/web"
import type { ResponseBody, Sink } from "./ResponseBody.ts"

/** The fields of an answer, names in lower case. */
export type Fields = Readonly<Record<string, string | ReadonlyArray<string> | undefined>>

export interface ResponseHead {
  readonly url: string
  readonly status: number
  readonly statusText: string
  readonly fields: Fields
}

export class HttpResponse implements Response {
  static {
    // An instance without the work of its constructor, which makes what most answers are never asked for.
    Object.setPrototypeOf(this.prototype, globalThis.Response.prototype)
  }

  readonly #head: ResponseHead
  /** Where the bytes are; a stream once it was asked for, and in a clone. */
  #body: ResponseBody | ReadableStream<Uint8Array> | null
  #headers: Headers | undefined
  #loaded: Promise<Buffer> | undefined
  #used = false

  constructor(head: ResponseHead, body: ResponseBody | ReadableStream<Uint8Array> | null) {
    this.#head = head
    this.#body = body
  }

  get status(): number {
    return this.#head.status
  }

  get ok(): boolean {
    return this.#head.status >= 200 && this.#head.status < 300
  }

  get statusText(): string {
    return this.#head.statusText
  }

  get url(): string {
    return this.#head.url
  }

  get type(): "basic" {
    return "basic"
  }

  get redirected(): boolean {
    return false
  }

  get headers(): Headers {
    return (this.#headers ??= headersOf(this.#head.fields))
  }

  get bodyUsed(): boolean {
    return this.#used || (isStream(this.#body) && Readable.isDisturbed(this.#body))
  }

  get body(): Response["body"] {
    if (this.#body === null || isStream(this.#body)) return this.#body
    if (this.#used) this.#body = lockedStream()
    else this.#body = this.#loaded === undefined ? this.#body.stream() : streamOf(this.#loaded)
    return this.#body
  }

  get [Symbol.toStringTag](): "Response" {
    return "Response"
  }

  /** What `headers` are made of. */
  get fields(): Fields {
    return this.#head.fields
  }

  /** The text of one field, its values joined by commas; without making `headers`. */
  field(name: string): string | undefined {
    const value = this.#head.fields[name]
    return typeof value === "string" || value === undefined ? value : value.join(", ")
  }

  /** Puts text before the body; nobody may have asked for it. */
  begin(text: string): void {
    if (this.#body !== null && !isStream(this.#body)) this.#body.begin(Buffer.from(text))
  }

  /** The first bytes, which stay for who reads the body; see `ResponseBody`. `undefined` where they cannot be had so. */
  async glance(isEnough: (bytes: Buffer) => boolean): Promise<Buffer | undefined> {
    return this.#body === null || isStream(this.#body) || this.#used ? undefined : this.#body.glance(isEnough)
  }

  /** Pours the body, without its first bytes, into a sink; nobody may have asked for it. */
  pour(sink: Sink, without: number): void {
    if (this.#body === null || isStream(this.#body) || this.#used) throw new TypeError(UNUSABLE)
    this.#used = true
    this.#body.pour(sink, without)
  }

  /** Reads the body to its end and keeps it for who asks; fails where it breaks off. */
  async load(): Promise<void> {
    if (this.#body === null || isStream(this.#body)) return
    this.#loaded ??= this.#body.collect()
    await this.#loaded
  }

  async text(): Promise<string> {
    return textOf(await this.#bytes())
  }

  async json(): Promise<unknown> {
    return JSON.parse(textOf(await this.#bytes()))
  }

  /** As `bytes`, without copying them; what they are a part of is the socket's. */
  async view(): Promise<Uint8Array> {
    const { buffer, byteLength, byteOffset } = await this.#bytes()
    return new Uint8Array(buffer, byteOffset, byteLength)
  }

  async bytes(): Promise<Uint8Array<ArrayBuffer>> {
    return new Uint8Array(await this.#bytes())
  }

  async arrayBuffer(): Promise<ArrayBuffer> {
    return (await this.bytes()).buffer
  }

  async blob(): Promise<Blob> {
    return new Blob([await this.bytes()], { type: this.field("content-type") ?? "" })
  }

  async formData(): ReturnType<Response["formData"]> {
    return new globalThis.Response(await this.bytes(), { headers: this.headers }).formData()
  }

  textStream(): ReadableStream<string> {
    const decoder = new TextDecoder()
    return (this.body ?? streamOf(Promise.resolve(Buffer.alloc(0)))).pipeThrough(
      new TransformStream<Uint8Array, string>({
        transform: (chunk, controller) => controller.enqueue(decoder.decode(chunk, { stream: true })),
        flush: (controller) => controller.enqueue(decoder.decode())
      })
    )
  }

  clone(): Response {
    if (this.bodyUsed || (isStream(this.#body) && this.#body.locked)) throw new TypeError(UNUSABLE)
    if (this.body === null) return new HttpResponse(this.#head, null)
    const [mine, its] = this.body.tee()
    this.#body = mine
    return new HttpResponse(this.#head, its)
  }

  async #bytes(): Promise<Buffer> {
    const body = this.#body
    if (body === null) return Buffer.alloc(0)
    if (this.bodyUsed || (isStream(body) && body.locked)) throw new TypeError(UNUSABLE)
    this.#used = true
    if (this.#loaded !== undefined) return this.#loaded
    if (!isStream(body)) return body.collect()
    const chunks: Array<Uint8Array> = []
    for await (const chunk of body) chunks.push(chunk)
    return Buffer.concat(chunks)
  }
}

const UNUSABLE = "Body is unusable: it has been read, or is being read"

const isStream = (body: ResponseBody | ReadableStream<Uint8Array> | null): body is ReadableStream<Uint8Array> =>
  body !== null && "getReader" in body

/** UTF-8 as fetch reads it: without a byte order mark, and with U+FFFD for what is none. */
const textOf = (bytes: Buffer): string =>
  bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? bytes.toString("utf8", 3) : bytes.toString("utf8")

const headersOf = (fields: Fields): Headers => {
  const headers = new Headers()
  for (const name of Object.keys(fields)) {
    const value = fields[name]
    if (typeof value === "string") headers.append(name, value)
    else for (const one of value ?? []) headers.append(name, one)
  }
  return headers
}

const streamOf = (bytes: Promise<Buffer>): ReadableStream<Uint8Array> =>
  new ReadableStream<Uint8Array>({
    start: async (controller) => {
      controller.enqueue(await bytes)
      controller.close()
    }
  })

/** What a body that was read as a whole leaves behind. */
const lockedStream = (): ReadableStream<Uint8Array> => {
  const stream = new ReadableStream<Uint8Array>()
  stream.getReader()
  return stream
}
