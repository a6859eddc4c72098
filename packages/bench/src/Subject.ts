/**
 * Something that is measured: a client set up in one way.
 *
 * A subject runs in a process of its own, which loads nothing that it does not need, so that neither its garbage nor
 * what its code taught the compiler counts for another.
 */
import type { Session } from "./BenchHeaders.ts"

export type Era = "legacy" | "modern"

export interface Connection {
  /** One tool call that the server accepted; anything else rejects. */
  readonly call: (session: Session) => Promise<void>
  readonly close: () => Promise<void>
}

export interface Subject {
  readonly era: Era
  /** Reads what a configuration says of a server, which is done long before connecting. Default: nothing. */
  readonly prepare?: (url: URL) => void
  /** Connects as far as a first call needs it. */
  readonly open: (url: URL) => Promise<Connection>
  /** Ends what the connections share. Default: nothing. */
  readonly close?: () => Promise<void>
}

export type FetchLike = (url: string | URL, init?: RequestInit) => Promise<Response>

export const CLIENT_INFO = { name: "bench", version: "0.0.0" } as const

/** The parameters of the one call that is measured. */
export const paramsOf = (session: Session) => ({ name: "echo", arguments: { session: session.id } })

/** Fails where the server answered another session than the one that asked. */
export const verify = (session: Session, content: unknown): void => {
  const [block]: ReadonlyArray<unknown> = Array.isArray(content) ? content : []
  if (typeof block !== "object" || block === null || !("text" in block) || block.text !== session.id) {
    throw new Error(`the answer to ${session.id} was ${JSON.stringify(content)}`)
  }
}
