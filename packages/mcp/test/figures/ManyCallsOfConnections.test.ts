/** A thousand calls at once over connections of `connect`, and what stood on the wire. */
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Harness from "../support/Harness.ts"
import * as ManyCalls from "../support/ManyCalls.ts"

const CALLS = 1_000

describe(`F48: ${CALLS} ${ManyCalls.CLAIM}`, () => {
  for (const options of Harness.cases) {
    it.live(
      `connect, ${options.era}, ${options.responses}: none crossed, none missing, nothing held`,
      () =>
        ManyCalls.run({
          ...options,
          calls: CALLS,
          expiries: 1,
          talks: false,
          connect: ({ transport }, principal) =>
            Effect.map(
              transport.connect("example", { principal }),
              ({ callTool }) =>
                (name, args) =>
                  Effect.map(callTool(name, args), ({ content }) =>
                    content.flatMap((block) => (block.type === "text" ? [block.text] : []))
                  )
            )
        }),
      ManyCalls.TIMEOUT
    )
  }
})
