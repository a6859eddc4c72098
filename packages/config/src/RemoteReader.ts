/**
 * Reads a configuration from a URL into a {@link Document}.
 *
 * Sends one GET without any header of ours, follows redirects within the same origin only, and takes at most
 * {@link REMOTE_SIZE_LIMIT} bytes within {@link REMOTE_TIMEOUT} milliseconds.
 */
import type { ConfigError } from "@letterhead/core/server/ConfigError"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpClient from "effect/http/HttpClient"
import type { HttpClientResponse } from "effect/http/HttpClientResponse"
import * as Stream from "effect/Stream"
import type { Document } from "./Document.ts"
import * as DocumentReader from "./DocumentReader.ts"
import { type RemoteUrl, unreadable } from "./RemoteUrl.ts"

/** Milliseconds for the whole of it. */
export const REMOTE_TIMEOUT = 10_000
/** Bytes of a configuration from a URL, decompressed. */
export const REMOTE_SIZE_LIMIT = 1024 * 1024
/** Redirects within one origin. */
export const REDIRECT_LIMIT = 5

/** The document at a URL. */
export const read = ({ shown, url }: RemoteUrl): Effect.Effect<Document, ConfigError, HttpClient.HttpClient> =>
  fetchFrom(url, shown).pipe(
    Effect.timeoutOrElse({
      duration: REMOTE_TIMEOUT,
      orElse: () => unreadable(shown, `did not answer within ${REMOTE_TIMEOUT} ms; try again later`)
    }),
    Effect.flatMap(({ bytes, isYaml }) => DocumentReader.parse(shown, bytes, isYaml)),
    Effect.provideService(FetchHttpClient.RequestInit, { redirect: "manual", credentials: "omit", cache: "no-store" }),
    // A span would be a header of ours, and show the query.
    Effect.provideService(HttpClient.TracerPropagationEnabled, false),
    Effect.provideService(HttpClient.TracerDisabledWhen, () => true)
  )

const fetchFrom = Effect.fnUntraced(function* (url: URL, shown: string) {
  const client = HttpClient.withScope(yield* HttpClient.HttpClient)
  let target = url
  for (let redirects = 0; redirects <= REDIRECT_LIMIT; redirects++) {
    const response = yield* client
      .get(target)
      .pipe(Effect.catch(() => unreadable(shown, "cannot be reached; check the address and the network")))
    if (!REDIRECTS.has(response.status)) return yield* take(response, target, shown)
    const location = response.headers["location"] ?? ""
    if (!URL.canParse(location, target)) return yield* unreadable(shown, "redirects to nowhere")
    const next = new URL(location, target)
    if (next.origin !== url.origin || next.username !== "" || next.password !== "") {
      return yield* unreadable(shown, `redirects to ${next.origin}, which is refused; name that address itself`)
    }
    target = next
  }
  return yield* unreadable(shown, `redirects more than ${REDIRECT_LIMIT} times`)
}, Effect.scoped)

const take = Effect.fnUntraced(function* (response: HttpClientResponse, url: URL, shown: string) {
  if (response.status !== OK) {
    return yield* unreadable(shown, `answered ${response.status} instead of ${OK}; check the address`)
  }
  const chunks: Array<Uint8Array> = []
  let size = 0
  yield* response.stream.pipe(
    Stream.catch(() => Stream.fromEffect(unreadable(shown, "broke off; try again later"))),
    Stream.runForEach((chunk) => {
      size += chunk.length
      chunks.push(chunk)
      return size > REMOTE_SIZE_LIMIT
        ? unreadable(shown, `is larger than ${REMOTE_SIZE_LIMIT} bytes; make it smaller`)
        : Effect.void
    })
  )
  const bytes = new Uint8Array(size)
  let position = 0
  for (const chunk of chunks) {
    bytes.set(chunk, position)
    position += chunk.length
  }
  const isYaml = /\.ya?ml$/i.test(url.pathname) || /\byaml\b/i.test(response.headers["content-type"] ?? "")
  return { bytes, isYaml }
})

const OK = 200
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])
