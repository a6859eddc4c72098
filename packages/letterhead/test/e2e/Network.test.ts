/** The way to a server that the environment and the options of the layer say. */
import { assert, describe, it } from "@effect/vitest"
import { McpTransport } from "@letterhead/mcp/McpTransport"
import * as EntryFixture from "@letterhead/testing/EntryFixture"
import * as LoopbackListener from "@letterhead/testing/LoopbackListener"
import * as Effect from "effect/Effect"
import * as Letterhead from "../../src/Letterhead.ts"

const URL_BEHIND = "http://mcp.example.invalid/mcp"

/** Why there is no connection with these options. */
const reasonWith = (options: Letterhead.Options, url = URL_BEHIND) =>
  McpTransport.pipe(
    Effect.flatMap(({ connect }) => connect("example")),
    Effect.scoped,
    Effect.flip,
    Effect.map((error) => ("reason" in error ? error.reason : error)),
    Effect.provide(Letterhead.layer({ servers: [EntryFixture.entry({ url })], environment: {}, ...options }))
  )

describe("Letterhead.layer", () => {
  it.live("connects by way of the proxy that its environment names", () =>
    Effect.gen(function* () {
      const targets: Array<string> = []
      const origin = yield* LoopbackListener.listen((request, response) => {
        targets.push(request.url ?? "")
        response.writeHead(403).end("the proxy was asked")
      })
      const reason = yield* reasonWith({ environment: { HTTP_PROXY: origin } })
      assert.include(reason.message, "the proxy was asked")
      assert.deepStrictEqual(targets.slice(0, 1), [URL_BEHIND])
    })
  )

  it.live("reads certificate authorities where it is told to", () =>
    Effect.gen(function* () {
      const reason = yield* reasonWith(
        { certificateAuthorities: "/nowhere/authorities.pem" },
        "https://127.0.0.1:1/mcp"
      )
      assert.strictEqual(reason._tag, "AuthoritiesInvalid")
      assert.include(reason.message, "/nowhere/authorities.pem")
    })
  )
})
