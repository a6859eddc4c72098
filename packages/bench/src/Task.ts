/** What a client process is told to do, and what it answers: the messages between it and the benchmark. */

/** Answers JSON, or an event stream of one event. */
export type Format = "json" | "sse"

/** So many calls at a time for so long. */
export interface CallsTask {
  readonly kind: "calls"
  readonly format: Format
  readonly inFlight: number
  /** Milliseconds that are counted; so many again, at most {@link WARM_UP}, go before. */
  readonly milliseconds: number
  /** How many conversations take turns. */
  readonly sessions: number
  /** How many servers take turns, each with a connection of its own that is opened before. */
  readonly servers: number
}

/** So many calls, so that the compiler has seen them; at most for so long. Measures what is of no interest. */
export interface WarmingTask {
  readonly kind: "warming"
  readonly calls: number
  readonly milliseconds: number
}

/** Opens and closes connections one after the other; only the opening is counted. */
export interface ConnectTask {
  readonly kind: "connect"
  readonly times: number
}

/** How much the heap grows with conversations, each of which makes a call and is kept. */
export interface SessionMemoryTask {
  readonly kind: "session memory"
  readonly sessions: number
}

/** How much the heap grows with connections to servers at one origin, each of which makes a call and is kept. */
export interface ConnectionMemoryTask {
  readonly kind: "connection memory"
  readonly servers: number
}

export type Task = WarmingTask | CallsTask | ConnectTask | SessionMemoryTask | ConnectionMemoryTask

export interface Measurement {
  /** How often it was done. */
  readonly count: number
  /** Microseconds from start to end, of all together. */
  readonly elapsed: number
  /** Microseconds of processor time, of all together and all threads. */
  readonly processor: number
  /** Microseconds that one took, the median. */
  readonly latency: number
  /** Bytes of heap that one took; 0 where that was not asked. */
  readonly heap: number
}

/** The most milliseconds before the clock starts. */
export const WARM_UP = 80
