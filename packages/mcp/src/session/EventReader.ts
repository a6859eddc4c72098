/** The events of a stream of `text/event-stream`, as its bytes come. */
import * as Sse from "effect/encoding/Sse"

/** Takes the bytes of a stream in order; tells `take` of each event when it is complete, and of the server's `retry`. */
export const make = (take: (event: Sse.AnyEvent) => void): ((bytes: Uint8Array) => void) => {
  const decoder = new TextDecoder()
  const parser = parserFor(take)
  return (bytes) => void parser.feed(decoder.decode(bytes, { stream: true }))
}

/** The events in these bytes, as {@link make} tells of them. */
export const all = (bytes: Buffer): ReadonlyArray<Sse.AnyEvent> => {
  const events: Array<Sse.AnyEvent> = []
  parserFor((event) => void events.push(event)).feed(bytes.toString("utf8"))
  return events
}

/** How large an event may be is bounded where the bytes are read. */
const UNBOUNDED = { maxEventSize: Number.POSITIVE_INFINITY }

const parserFor = (take: (event: Sse.AnyEvent) => void): Sse.Parser => Sse.makeParser(take, UNBOUNDED)

/** The bytes of the first event, if these hold all of it. */
export const first = (bytes: Buffer): Buffer | undefined => {
  let end = bytes.length + 1
  for (const blank of BLANK_LINES) {
    const at = bytes.indexOf(blank)
    if (at !== -1) end = Math.min(end, at + blank.length)
  }
  return end > bytes.length ? undefined : bytes.subarray(0, end)
}

/** Without that of lone carriage returns, which nobody writes: the next byte would have to be awaited. */
const BLANK_LINES = ["\n\n", "\n\r\n"].map((text) => Buffer.from(text))
