/** What the tour of a scenario needs of an MCP client, whichever client it is: what the server offers, ready to use. */
import type * as Effect from "effect/Effect"

/** Why a client could not do something, in its own words. */
export type FaceError = Error

export interface OfferedTool {
  readonly name: string
  readonly inputSchema: unknown
  readonly call: (args: Readonly<Record<string, unknown>>) => Effect.Effect<unknown, FaceError>
}

/** A connected client; what the server does not offer is empty. */
export interface Face {
  readonly tools: Effect.Effect<ReadonlyArray<OfferedTool>, FaceError>
  /** Gets each prompt, without arguments. */
  readonly prompts: Effect.Effect<ReadonlyArray<Effect.Effect<unknown, FaceError>>, FaceError>
  /** Reads each resource. */
  readonly resources: Effect.Effect<ReadonlyArray<Effect.Effect<unknown, FaceError>>, FaceError>
}

/** The revisions of MCP that the suite speaks to a client. */
export type Revision = "2025-11-25" | "2026-07-28"
