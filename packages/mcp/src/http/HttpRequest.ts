/**
 * What the caller of a `fetch` wants to be sent, in the form in which it is written: fields and body, without the
 * headers that sources supply.
 */
import { isForwardedOnly, isProtocolOwned } from "@letterhead/core/headers/HeaderField"
import type { ResolvedHeaders } from "@letterhead/core/headers/ResolvedHeaders"
import type { FetchLike } from "@modelcontextprotocol/client"
import * as ContentDecoding from "./ContentDecoding.ts"

export type Init = NonNullable<Parameters<FetchLike>[1]>

/** What `Headers` and a `Map` of names in lower case have in common. */
export interface HeaderList {
  get(name: string): string | null | undefined
  forEach(visit: (value: string, name: string) => void): void
}

export interface HttpRequest {
  readonly method: string
  readonly headers: HeaderList
  readonly body: string | Uint8Array | null
}

/** Reads the arguments of a `fetch`; waits only for a body that is no text and no bytes. */
export const of = (init: Init): HttpRequest | Promise<HttpRequest> => {
  const method = methodOf(init)
  const headers = init.headers instanceof globalThis.Headers ? init.headers : new globalThis.Headers(init.headers)
  const { body } = init
  if (body === undefined || body === null) return { method, headers, body: null }
  if (typeof body === "string" || body instanceof Uint8Array) return { method, headers, body }
  return encoded(method, headers, body)
}

const methodOf = (init: Init): string => (init.method ?? "GET").toUpperCase()

/** Lets the platform make bytes of a form, a blob or a stream, and name their type. */
const encoded = async (method: string, headers: Headers, body: Init["body"]): Promise<HttpRequest> => {
  const form = new globalThis.Response(body)
  const type = form.headers.get("content-type")
  const all = new globalThis.Headers(headers)
  if (type !== null && !all.has("content-type")) all.set("content-type", type)
  return { method, headers: all, body: await form.bytes() }
}

/** The text of a body that may be a JSON-RPC message. */
export const textOf = ({ body }: HttpRequest): string =>
  body instanceof Uint8Array ? new TextDecoder().decode(body) : (body ?? "")

/** What is sent where nobody says otherwise. */
const DEFAULTS = [
  ["accept", "*/*"],
  ["accept-encoding", ContentDecoding.ACCEPTED],
  ["user-agent", "letterhead"]
] as const

/**
 * The fields as they are written, names and values by turns: those of the caller, then those of the sources that the
 * caller did not set and the protocol does not own. The one place where values leave as plain text.
 */
export const fieldsOf = ({ headers, body }: HttpRequest, resolved: ResolvedHeaders | undefined): Array<string> => {
  const fields: Array<string> = []
  const names = new Set<string>()
  headers.forEach((value, name) => {
    fields.push(name, value)
    names.add(name)
  })
  for (const [name, value] of resolved?.reveal() ?? []) {
    const folded = name.toLowerCase()
    if (names.has(folded) || (isProtocolOwned(folded) && !isForwardedOnly(folded))) continue
    fields.push(name, value)
    names.add(folded)
  }
  for (const [name, value] of DEFAULTS) if (!names.has(name)) fields.push(name, value)
  if (typeof body === "string" && !names.has("content-type")) fields.push("content-type", "text/plain;charset=UTF-8")
  return fields
}
