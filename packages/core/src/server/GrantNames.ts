/** What the grants of entries for which nobody signs in are called, wherever people read of them. */
import type { Grant } from "./ServerEntry.ts"

interface Names {
  readonly name: string
  /** As part of a sentence that tells where a token is from. */
  readonly source: string
  /** What it does, where somebody is asked to trust it. */
  readonly action: string
}

export const NAMES = {
  client_credentials: {
    name: "client credentials",
    source: "client credentials",
    action: "gets a token for the client itself, and sends it"
  },
  jwt_bearer: {
    name: "JWT bearer assertion",
    source: "a JWT bearer assertion",
    action: "gets a token for an assertion, and sends it"
  },
  id_jag: {
    name: "identity assertion",
    source: "an identity assertion",
    action: "gets a token for the id token of a person, and sends it"
  }
} as const satisfies Readonly<Record<Grant["type"], Names>>

export type GrantName = (typeof NAMES)[Grant["type"]]["name"]
