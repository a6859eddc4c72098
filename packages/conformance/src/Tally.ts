/** The requests that a client wrote, as it prints them and a test reads them. */
import * as Schema from "effect/Schema"

export const Tally = Schema.Struct({
  requests: Schema.Int,
  /** That carried the header of the connection. */
  withStatic: Schema.Int,
  /** That belonged to a call of a session. */
  ofSessions: Schema.Int,
  /** Of those, that carried the header of that very session. */
  withSession: Schema.Int
})
export type Tally = typeof Tally.Type
