/** Ten thousand calls at once with the client of SDK 1, and what stood on the wire. */
import { describe, it } from "@effect/vitest"
import * as McpTransport from "@letterhead/mcp/McpTransport"
import * as Effect from "effect/Effect"
import * as Clients from "../support/Clients.ts"
import * as ManyCalls from "../support/ManyCalls.ts"

describe(`F48: ${ManyCalls.CALLS} ${ManyCalls.CLAIM}`, () => {
  for (const options of Clients.cases.filter(({ client }) => client === "SDK 1")) {
    it.live(
      `${options.client}, ${options.era}, ${options.responses}: none crossed, none missing, nothing held`,
      () =>
        ManyCalls.run({
          ...options,
          talks: true,
          connect: ({ transport }, principal) =>
            Effect.map(
              Clients.connect(options.client, transport, { principal }),
              (client) => (name, args) => McpTransport.call((request) => client.callTool(name, args, request))
            )
        }),
      ManyCalls.TIMEOUT
    )
  }
})
