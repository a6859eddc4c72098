import * as NodeServices from "@effect/platform-node/NodeServices"
import { expect, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { entryOf, load, reasonOf } from "./entryOf.ts"

const through = (more: object) => ({
  auth: "oauth",
  passthroughHeaders: [{ name: "x-token", as: "Authorization", credential: true, ...more }]
})

layer(NodeServices.layer)("Conflicts", (it) => {
  it.effect("a header that is let through and also set is refused, and both places are named", () =>
    Effect.gen(function* () {
      const remedy = 'remove one of them, or say here "override": true to prefer what comes in'
      expect(
        yield* reasonOf({ headers: { "X-Key": "v" }, passthroughHeaders: ["y", { name: "z", as: "x_key" }] })
      ).toBe(
        `(.passthroughHeaders[1]): the header x_key comes from program (mcpServers.a.headers.X-Key) too; ${remedy}`
      )
      expect(yield* reasonOf({ userConfig: { K: { headerName: "X-Key" } }, passthroughHeaders: ["x-key"] })).toBe(
        `(.passthroughHeaders[0]): the header x-key comes from program (mcpServers.a.userConfig.K) too; ${remedy}`
      )
      const config = yield* load({ url: "https://a", headers: { x: "v" }, passthroughHeaders: ["x"] })
      expect(config.skipped[0]?.reason._tag).toBe("HeaderConflict")
    })
  )

  it.effect("override says which of them counts", () =>
    Effect.gen(function* () {
      const { passthrough } = yield* entryOf({
        headers: { x: "v" },
        passthroughHeaders: [{ name: "x", override: true }]
      })
      expect(passthrough[0]?.override).toBe(true)
      // Where the names differ under way, only the one that is sent can conflict.
      yield* entryOf({ headers: { x: "v" }, passthroughHeaders: [{ name: "x", as: "y" }] })
    })
  )

  it.effect("an Authorization of its own beside forced OAuth is refused", () =>
    Effect.gen(function* () {
      const remedy = 'too; set "auth" to "none", or remove this'
      expect(yield* reasonOf({ auth: "oauth", headers: { "X-Key": "k", authorization: "Bearer a" } })).toBe(
        `(.headers.authorization): the header authorization comes from program (mcpServers.a.auth) ${remedy}`
      )
      expect(yield* reasonOf({ auth: "oauth", userConfig: { access_token: { sensitive: true } } })).toBe(
        `(.userConfig.access_token): the header Authorization comes from program (mcpServers.a.auth) ${remedy}`
      )
      yield* entryOf({ auth: "oauth", headers: { "X-Key": "k" }, headersHelper: "print-tenant" })
      yield* entryOf({ auth: "auto", headers: { authorization: "Bearer a" } })
    })
  )

  it.effect("a credential that is let through beside forced OAuth is refused", () =>
    Effect.gen(function* () {
      expect(yield* reasonOf(through({}))).toBe(
        '(.passthroughHeaders[0]): the header Authorization comes from program (mcpServers.a.auth) too; set "auth" to "none", remove this, or say here "override": true to prefer what comes in'
      )
      expect((yield* entryOf(through({ override: true }))).auth).toBe("oauth")
    })
  )
})
