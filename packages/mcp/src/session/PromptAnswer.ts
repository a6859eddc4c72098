/**
 * The answer of a server that has nothing to say before it: the first event of a stream.
 *
 * That is how servers answer a call by default. The SDK reads every stream through four others and each message with a
 * schema, which costs three times as much as all the rest of a call. A stream that begins with anything else than the
 * result, be it the id of an event to resume at, is left to the SDK, with all its bytes.
 */
import { type JSONRPCMessage, parseJSONRPCMessage } from "@modelcontextprotocol/client"
import type { AnyEvent } from "effect/encoding/Sse"
import type { RequestId } from "../call/CallCorrelation.ts"
import type { HttpResponse } from "../http/HttpResponse.ts"
import { isPlainResult } from "../message/MessageKind.ts"
import * as EventReader from "./EventReader.ts"

export interface PromptAnswer {
  /** The id of its event. */
  readonly eventId: string | undefined
  /** Tells of the answer, and reads what may come after it. */
  readonly tell: (listener: Listener) => void
}

/** Who is told of the messages of a stream, in order. */
export interface Listener {
  readonly message: (message: JSONRPCMessage) => void
  /** Of a message that is none or was not taken, and of a stream that broke off. */
  readonly error: (error: unknown) => void
  readonly end: () => void
}

/** Waits for the first event; `undefined` where it is not the result of the request. */
export const find = async (response: HttpResponse, id: RequestId): Promise<PromptAnswer | undefined> => {
  const bytes = await response.glance((sofar) => EventReader.first(sofar) !== undefined)
  const first = bytes === undefined ? undefined : EventReader.first(bytes)
  if (first === undefined) return undefined
  const [event, ...others] = EventReader.all(first)
  if (event?._tag !== "Event" || event.event !== "message" || others.length > 0) return undefined
  const answer = parsed(event.data)
  if (!isPlainResult(answer) || answer.id !== id) return undefined
  return {
    eventId: event.id === "" ? undefined : event.id,
    tell: (listener) => {
      pass(() => answer, listener)
      follow(response, first.byteLength, listener)
    }
  }
}

/**
 * Reads what comes after so many bytes, which most often is nothing. An event without data says no more than where to
 * resume, and `retry` when: an answered request is not.
 */
const follow = (response: HttpResponse, after: number, listener: Listener): void => {
  const take = (event: AnyEvent) => {
    if (event._tag === "Event" && event.event === "message" && event.data !== "") {
      pass(() => parseJSONRPCMessage(JSON.parse(event.data)), listener)
    }
  }
  let read: ReturnType<typeof EventReader.make> | undefined
  const sink = {
    enqueue: (bytes: Uint8Array) => (read ??= EventReader.make(take))(bytes),
    close: listener.end,
    error: (failure: unknown) => {
      listener.error(failure)
      listener.end()
    },
    desiredSize: Number.POSITIVE_INFINITY
  }
  response.pour(sink, after)
}

/** What one message does to its reader, the next does not suffer from. */
const pass = (read: () => JSONRPCMessage, { error, message }: Listener): void => {
  try {
    message(read())
  } catch (failure) {
    error(failure)
  }
}

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
