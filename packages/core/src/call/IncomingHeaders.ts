/**
 * Headers of the request that a runtime is serving, as far as somebody listed them.
 *
 * Guarantees that nothing is captured that no list names, that values are `Redacted` from here on, and that a field
 * that came more than once is kept as often as it came: who reads it can refuse it, where Node keeps the first and a
 * Web `Headers` joins them. Names compare without regard to case and with `_` as `-`, since gateways and environments
 * turn one into the other; two spellings of one name are one name that came twice.
 */
import type { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import { foldName } from "../headers/HeaderField.ts"

/** A field as it came. */
export interface IncomingHeader {
  readonly name: string
  readonly value: Redacted.Redacted
}

/** In the order they came. */
export type IncomingHeaders = ReadonlyArray<IncomingHeader>

/** Node's `IncomingMessage`: names and values in turn. Repeated fields are seen as they are. */
export interface RawRequest {
  readonly rawHeaders: ReadonlyArray<string>
}

/** A Web `Request`. Its `Headers` have joined repeated fields with `, `, so a value with that counts as repeated. */
export interface WebRequest {
  readonly headers: Iterable<readonly [name: string, value: string]>
}

/** A request that headers can be captured from. */
export type IncomingRequest = HttpServerRequest | RawRequest | WebRequest

/** How incoming names compare. */
export const foldIncoming = (name: string): string => foldName(name).replaceAll("_", "-")

/** The fields of `request` that `allowlist` names. */
export const capture = (allowlist: ReadonlyArray<string>, request: IncomingRequest): IncomingHeaders => {
  const listed = new Set(allowlist.map(foldIncoming))
  return fieldsOf(request).flatMap(([name, value]) =>
    listed.has(foldIncoming(name)) ? [{ name, value: Redacted.make(value, { label: name }) }] : []
  )
}

/** The fields that go by a name, whatever their spelling. */
export const named = (incoming: IncomingHeaders | undefined, name: string): IncomingHeaders => {
  const folded = foldIncoming(name)
  return (incoming ?? []).filter((field) => foldIncoming(field.name) === folded)
}

type Fields = ReadonlyArray<readonly [name: string, value: string]>

const fieldsOf = (request: IncomingRequest): Fields => {
  if ("rawHeaders" in request) return inPairs(request.rawHeaders)
  if (!("source" in request)) return [...request.headers].flatMap(([name, value]) => unjoined(name, value))
  const raw = rawOf(request.source)
  return Object.entries(request.headers).flatMap(([name, value]): Fields => {
    if (raw === undefined) return unjoined(name, value)
    const came = raw.filter(([rawName]) => foldName(rawName) === foldName(name))
    // What a middleware set, replaced or took away counts; only how often a field came is taken from the wire.
    return came.length > 1 ? came : [[name, value]]
  })
}

/** The fields of what lies behind an `HttpServerRequest`, where that tells them apart. */
const rawOf = (source: object): Fields | undefined =>
  Predicate.hasProperty(source, "rawHeaders") && Array.isArray(source.rawHeaders)
    ? inPairs(source.rawHeaders.map(String))
    : undefined

const inPairs = (raw: ReadonlyArray<string>): Fields =>
  raw.flatMap((name, index): Fields => (index % 2 === 0 ? [[name, raw[index + 1] ?? ""]] : []))

const unjoined = (name: string, value: string): Fields => value.split(", ").map((part) => [name, part])
