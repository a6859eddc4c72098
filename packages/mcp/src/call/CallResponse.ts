/**
 * An answer as clients of `effect/http` read it.
 *
 * They look at its fields again and again and read every body as a stream, also one that is a single text. Here the
 * fields are put into their form once, and a JSON body, which is bounded, is one chunk: nothing of the web's streams and
 * `Headers` is made for it. All else is as `HttpClientResponse.fromWeb` has it.
 */
import * as Effect from "effect/Effect"
import * as Headers from "effect/http/Headers"
import * as HttpClientError from "effect/http/HttpClientError"
import type { HttpClientRequest } from "effect/http/HttpClientRequest"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as HttpIncomingMessage from "effect/http/HttpIncomingMessage"
import * as Inspectable from "effect/Inspectable"
import { type Pipeable, pipeArguments } from "effect/Pipeable"
import * as Stream from "effect/Stream"
import type { HttpResponse } from "../http/HttpResponse.ts"

export class CallResponse extends Inspectable.Class implements HttpClientResponse.HttpClientResponse, Pipeable {
  readonly [HttpClientResponse.TypeId] = HttpClientResponse.TypeId
  readonly [HttpIncomingMessage.TypeId] = HttpIncomingMessage.TypeId
  readonly request: HttpClientRequest
  readonly headers: Headers.Headers
  readonly #answer: HttpResponse
  readonly #web: HttpClientResponse.HttpClientResponse

  constructor(request: HttpClientRequest, answer: HttpResponse) {
    super()
    this.request = request
    this.headers = Headers.fromInput(answer.fields)
    this.#answer = answer
    this.#web = HttpClientResponse.fromWeb(request, answer)
  }

  get url() {
    return this.#web.url
  }

  get status() {
    return this.#web.status
  }

  get cookies() {
    return this.#web.cookies
  }

  get remoteAddress() {
    return this.#web.remoteAddress
  }

  get json() {
    return this.#web.json
  }

  get text() {
    return this.#web.text
  }

  get arrayBuffer() {
    return this.#web.arrayBuffer
  }

  get formData() {
    return this.#web.formData
  }

  get urlParamsBody() {
    return this.#web.urlParamsBody
  }

  get upgrade() {
    return this.#web.upgrade
  }

  get stream(): Stream.Stream<Uint8Array, HttpClientError.HttpClientError> {
    if (!/^\s*application\/json\b/i.test(this.headers["content-type"] ?? "")) return this.#web.stream
    const failed = (cause: unknown) =>
      new HttpClientError.HttpClientError({
        reason: new HttpClientError.DecodeError({ request: this.request, response: this, cause })
      })
    return Stream.fromEffect(Effect.tryPromise({ try: () => this.#answer.view(), catch: failed }))
  }

  override toJSON(): unknown {
    return this.#web.toJSON()
  }

  pipe() {
    return pipeArguments(this, arguments)
  }
}
