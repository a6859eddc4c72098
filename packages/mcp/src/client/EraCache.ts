/**
 * What was learned of the eras that servers speak, so that the next connection need not ask.
 *
 * That a server is of the legacy era is kept per URL. What a modern server says of itself may be meant for one principal
 * alone, so it is kept per principal and URL. Neither is believed for longer than {@link AGE}: a legacy server that was
 * brought up to date goes on answering `initialize`, and nothing would ever tell.
 */
import type { PriorDiscovery } from "@modelcontextprotocol/client"

export type Era = PriorDiscovery

/** Milliseconds that what was learned is believed. */
export const AGE = 10 * 60_000
/** Entries of each kind; the oldest is forgotten for the next. */
export const ENTRIES = 1_000

interface Learned {
  readonly era: Era
  /** By the clock, in milliseconds. */
  readonly at: number
}

export class EraCache {
  readonly #legacy = new Map<string, Learned>()
  readonly #modern = new Map<string, Learned>()

  /** How much is kept. */
  get size(): number {
    return this.#legacy.size + this.#modern.size
  }

  /** What is known at the time `now`. */
  known(principal: string, url: string, now: number): Era | undefined {
    const learned = this.#modern.get(keyOf(principal, url)) ?? this.#legacy.get(url)
    return learned === undefined || now - learned.at >= AGE ? undefined : learned.era
  }

  learn(principal: string, url: string, era: Era, now: number): void {
    this.forget(principal, url)
    const [learned, key] = era.kind === "modern" ? [this.#modern, keyOf(principal, url)] : [this.#legacy, url]
    learned.set(key, { era, at: now })
    const [oldest] = learned.keys()
    if (learned.size > ENTRIES && oldest !== undefined) learned.delete(oldest)
  }

  /** It was wrong. */
  forget(principal: string, url: string): void {
    this.#modern.delete(keyOf(principal, url))
    this.#legacy.delete(url)
  }
}

const keyOf = (principal: string, url: string): string => JSON.stringify([principal, url])
