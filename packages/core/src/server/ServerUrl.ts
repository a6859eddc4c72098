/**
 * The URL of a server, evaluated and checked: `http` or `https`, without credentials in it.
 *
 * A URL with a password in it would be written to logs, to `Referer` and to errors of all kinds.
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type * as Path from "effect/Path"
import { HeaderError, type HeaderErrorReason, UrlInvalid } from "../headers/HeaderError.ts"
import { TrustGate } from "../trust/TrustGate.ts"
import type { ServerEntry } from "./ServerEntry.ts"
import * as Template from "./Template.ts"

/** The rule that a URL breaks, or `undefined`. */
export const urlDefect = (url: string): string | undefined => {
  // The parser of URLs takes line breaks and outer blanks out without a word.
  if (UNSEEN.test(url)) return "must not contain a blank, a line break or another control character"
  if (!URL.canParse(url)) return "is not an absolute URL, such as https://mcp.example.com/mcp"
  const parsed = new URL(url)
  if (parsed.protocol !== "https:" && parsed.protocol !== "http:") return "must start with https:// or http://"
  if (parsed.username !== "" || parsed.password !== "") {
    return `must not contain a user name or password; put the credential into "headers"`
  }
  return undefined
}

const UNSEEN = /[^\x21-\u{10ffff}]|\x7f/u

/** The URL of an entry now; reads variables and files only where the trust gate lets it. */
export const evaluate = Effect.fnUntraced(function* (
  entry: ServerEntry
): Effect.fn.Return<URL, HeaderError, TrustGate | FileSystem.FileSystem | Path.Path> {
  const fail = (reason: HeaderErrorReason) => new HeaderError({ server: entry.name, reason })
  if (entry.endpoint.type !== "http") {
    return yield* fail(new UrlInvalid({ rule: "is missing: this server is a program, not a URL", place: entry.place }))
  }
  const template = entry.endpoint.url
  if (Template.readsOutside(template)) yield* (yield* TrustGate).require(entry)
  const text = yield* Effect.mapError(Template.evaluate(template, { origin: entry.origin, place: entry.place }), fail)
  const defect = urlDefect(text)
  if (defect !== undefined) return yield* fail(new UrlInvalid({ rule: defect, place: entry.place }))
  return new URL(text)
})

/** Whether the URL of an entry is all in its text. */
export const isFixed = ({ endpoint }: ServerEntry): boolean =>
  endpoint.type === "http" && !Template.readsOutside(endpoint.url)
