/**
 * Configurations from URLs: one that a person names, and those that a document extends. The scope of all is `remote`, and
 * each is a document of its own: one that cannot be had fails by itself. What a remote document extends is not followed.
 */
import { ConfigError } from "@letterhead/core/server/ConfigError"
import type { ConfigDocument, ConfigWarning, FailedDocument } from "@letterhead/core/server/McpConfig"
import type { Origin } from "@letterhead/core/server/ServerEntry"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type { HttpClient } from "effect/http/HttpClient"
import type * as Layer from "effect/Layer"
import type * as Path from "effect/Path"
import * as Result from "effect/Result"
import type { Extension } from "./Dialect.ts"
import * as Dialects from "./Dialects.ts"
import * as DocumentDecoder from "./DocumentDecoder.ts"
import * as RemoteReader from "./RemoteReader.ts"
import * as RemoteUrl from "./RemoteUrl.ts"

type Requirements = FileSystem.FileSystem | HttpClient | Path.Path

/** What is served at a URL. */
export const load = Effect.fnUntraced(function* (
  url: string
): Effect.fn.Return<DocumentDecoder.Sourced, ConfigError, Requirements> {
  return yield* loadChecked(yield* RemoteUrl.check(url))
})

/** What the documents say that one extends, and which of them failed. */
export const follow = Effect.fnUntraced(function* (
  extensions: ReadonlyArray<Extension>,
  httpClient: Layer.Layer<HttpClient> | undefined
): Effect.fn.Return<Followed, never, FileSystem.FileSystem | Path.Path> {
  const loaded = yield* Effect.forEach(extensions, (extension) => followOne(extension, httpClient), {
    concurrency: "unbounded"
  })
  return {
    sourced: loaded.flatMap(({ result }) => (Result.isSuccess(result) ? [result.success] : [])),
    documents: loaded.map(({ origin, result }) => ({ origin, found: Result.isSuccess(result) })),
    failed: loaded.flatMap(({ origin, result }) =>
      Result.isFailure(result) ? [{ origin, reason: result.failure.reason }] : []
    )
  }
})

export interface Followed {
  readonly sourced: ReadonlyArray<DocumentDecoder.Sourced>
  readonly documents: ReadonlyArray<ConfigDocument>
  readonly failed: ReadonlyArray<FailedDocument>
}

const followOne = Effect.fnUntraced(function* (
  { url }: Extension,
  httpClient: Layer.Layer<HttpClient> | undefined
): Effect.fn.Return<
  { readonly origin: Origin; readonly result: Result.Result<DocumentDecoder.Sourced, ConfigError> },
  never,
  FileSystem.FileSystem | Path.Path
> {
  const checked = yield* Effect.result(RemoteUrl.check(url))
  if (Result.isFailure(checked)) {
    const { reason } = checked.failure
    const source = reason._tag === "DocumentUnreadable" ? reason.path : "URL"
    return { origin: originOf(source), result: Result.fail(checked.failure) }
  }
  const { shown } = checked.success
  const loaded =
    httpClient === undefined
      ? RemoteUrl.unreadable(shown, "is not read: this program reads no URLs; save it as a file")
      : loadChecked(checked.success).pipe(Effect.provide(httpClient))
  return { origin: originOf(shown), result: yield* Effect.result(loaded) }
})

const originOf = (source: string): Origin => ({ scope: "remote", source })

const loadChecked = Effect.fnUntraced(function* (
  remote: RemoteUrl.RemoteUrl
): Effect.fn.Return<DocumentDecoder.Sourced, ConfigError, Requirements> {
  const document = yield* RemoteReader.read(remote)
  const dialect = yield* Effect.fromResult(Dialects.recognise(remote.url.pathname, document)).pipe(
    Effect.mapError((reason) => new ConfigError({ reason }))
  )
  const { origin, reading } = yield* DocumentDecoder.decode(document, dialect, originOf(remote.shown))
  return { origin, reading: { ...reading, extends: [], warnings: [...reading.warnings, ...notFollowed(reading)] } }
})

const notFollowed = ({ extends: extensions = [] }: DocumentDecoder.Sourced["reading"]): ReadonlyArray<ConfigWarning> =>
  extensions.map(({ place }) => ({
    place,
    message: `a configuration from a URL extends no other; name this one in your own file`
  }))
