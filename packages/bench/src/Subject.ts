/**
 * Something that is measured: a client set up in one way.
 *
 * Names are shown in the tables. A subject runs in a process of its own, so that neither its garbage nor what its code
 * taught the compiler counts for another.
 */
import type { Session } from "./BenchHeaders.ts"

export type Era = "legacy" | "modern"

export interface Connection {
  /** One tool call that the server accepted; anything else rejects. */
  readonly call: (session: Session) => Promise<void>
  readonly close: () => Promise<void>
}

export interface Subject {
  readonly name: string
  readonly era: Era
  /** Connects as far as a first call needs it. */
  readonly open: (url: URL) => Promise<Connection>
  /** Ends what the connections share. Default: nothing. */
  readonly close?: () => Promise<void>
}

/** Fails where the server answered another session than the one that asked. */
export const verify = (session: Session, content: ReadonlyArray<object> | undefined): void => {
  const [block] = content ?? []
  if (block === undefined || !("text" in block) || block.text !== session.id) {
    throw new Error(`the answer to ${session.id} was ${JSON.stringify(content)}`)
  }
}
