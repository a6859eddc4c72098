/** Ten thousand calls at once with the client of `effect/ai`, and what stood on the wire. */
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as EffectClient from "../support/EffectClient.ts"
import * as Harness from "../support/Harness.ts"
import * as ManyCalls from "../support/ManyCalls.ts"

describe(`F48: ${ManyCalls.CALLS} ${ManyCalls.CLAIM}`, () => {
  for (const options of Harness.cases) {
    it.live(
      `Effect's client, ${options.era}, ${options.responses}: none crossed, none missing, nothing held`,
      () =>
        ManyCalls.run({
          ...options,
          talks: false,
          connect: (harness, principal) =>
            Effect.map(EffectClient.connect(options, harness, principal), ({ callTool }) => callTool)
        }),
      ManyCalls.TIMEOUT
    )
  }
})
