/**
 * What several wait for and one of them begins: a renewal that runs once for all who wait.
 *
 * The first runs at once. One that follows in the minute after another waits until a second has passed since that one
 * began; where nothing came of that one, longer and longer, up to half a minute. So a server that forgets sessions as soon
 * as they have begun is not flooded with them, nor a helper started for each.
 */
import * as BackOff from "@letterhead/core/helper/BackOff"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import type { Call } from "../call/Call.ts"

/** Milliseconds after which a renewal is the first one again. */
export const CALM = 60_000

export class Renewal {
  readonly #owner: Pick<Call, "services">
  /** Aborted when no other is to begin; absent while there was none. */
  #ended: AbortController | undefined
  #running: Promise<void> | undefined
  #inRow = 0
  #fruitful = false
  /** By the clock, in milliseconds: when the last one began. */
  #last = Number.NEGATIVE_INFINITY

  /** It runs with the services of the owner. */
  constructor(owner: Pick<Call, "services">) {
    this.#owner = owner
  }

  get isRunning(): boolean {
    return this.#running !== undefined
  }

  /** Something came of the last one. */
  bear(): void {
    this.#fruitful = true
  }

  /** How many there were in a row of which nothing came, within {@link CALM} of each other; 1 after one that was. */
  get inRow(): number {
    return this.#inRow
  }

  /** Joins the one that runs, or begins this one when it is time. */
  run(renew: Effect.Effect<void, unknown>): Promise<void> {
    const ended = (this.#ended ??= new AbortController())
    this.#running ??= Effect.runPromiseWith(this.#owner.services)(Effect.andThen(this.#wait(), renew), {
      signal: ended.signal
    }).finally(() => {
      this.#running = undefined
    })
    return this.#running
  }

  /** Ends the one that runs, and waits until it has ended. */
  async end(): Promise<void> {
    const ended = (this.#ended ??= new AbortController())
    ended.abort()
    await this.#running?.catch(() => {})
  }

  #wait(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const since = (yield* Clock.currentTimeMillis) - this.#last
      if (since >= CALM) this.#inRow = 0
      else if (this.#fruitful) this.#inRow = Math.min(this.#inRow, 1)
      this.#fruitful = false
      const delay = this.#inRow === 0 ? 0 : BackOff.delay(this.#inRow, yield* Random.next)
      if (delay > since) yield* Effect.sleep(delay - since)
      this.#inRow += 1
      this.#last = yield* Clock.currentTimeMillis
    })
  }
}
