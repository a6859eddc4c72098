/**
 * What several wait for and one of them begins: a renewal that runs once for all who wait.
 *
 * The first runs at once. Those that follow in the minute after another wait longer and longer, up to half a minute,
 * whether or not the one before succeeded: a server that forgets each session as soon as it has begun one is not
 * flooded with sessions, nor a helper started for each.
 */
import * as BackOff from "@letterhead/core/helper/BackOff"
import * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"

/** Milliseconds after which a renewal is the first one again. */
export const CALM = 60_000

export class Renewal {
  readonly #services: Context.Context<never>
  readonly #ended = new AbortController()
  #running: Promise<void> | undefined
  /** How many there were without a minute between two. */
  #inRow = 0
  /** By the clock, in milliseconds: when the last one began. */
  #last = Number.NEGATIVE_INFINITY

  constructor(services: Context.Context<never>) {
    this.#services = services
  }

  get isRunning(): boolean {
    return this.#running !== undefined
  }

  /** How many there were without {@link CALM} between two, the one that runs among them. */
  get inRow(): number {
    return this.#inRow
  }

  /** Joins the one that runs, or begins this one when it is time. */
  run(renew: Effect.Effect<void, unknown>): Promise<void> {
    this.#running ??= Effect.runPromiseWith(this.#services)(Effect.andThen(this.#wait, renew), {
      signal: this.#ended.signal
    }).finally(() => {
      this.#running = undefined
    })
    return this.#running
  }

  /** Ends the one that runs, and waits until it has ended. */
  async end(): Promise<void> {
    this.#ended.abort()
    await this.#running?.catch(() => {})
  }

  readonly #wait: Effect.Effect<void> = Effect.gen({ self: this }, function* () {
    const since = (yield* Clock.currentTimeMillis) - this.#last
    if (since >= CALM) this.#inRow = 0
    const delay = this.#inRow === 0 ? 0 : BackOff.delay(this.#inRow, yield* Random.next)
    if (delay > since) yield* Effect.sleep(delay - since)
    this.#inRow += 1
    this.#last = yield* Clock.currentTimeMillis
  })
}
