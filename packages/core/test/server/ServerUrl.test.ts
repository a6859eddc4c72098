/** Where a server is, once its variables are in. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, it } from "@effect/vitest"
import { Environment } from "@letterhead/core/server/Environment"
import * as ServerUrl from "@letterhead/core/server/ServerUrl"
import { entry } from "@letterhead/testing/EntryFixture"
import * as MockTrustGate from "@letterhead/testing/mocks/MockTrustGate"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

const evaluate = (url: string, environment: Environment = {}) =>
  ServerUrl.evaluate(entry({ url })).pipe(
    Effect.provideService(Environment, environment),
    Effect.provide(Layer.merge(NodeServices.layer, MockTrustGate.layerPermitAll))
  )

it.effect("F79: a variable of the URL is evaluated, and one that is not set is an error that names it", () =>
  Effect.gen(function* () {
    const url = "https://${HOST}/mcp"
    assert.strictEqual((yield* evaluate(url, { HOST: "mcp.example.com" })).href, "https://mcp.example.com/mcp")
    for (const environment of [{}, { HOST: "" }]) {
      const error = yield* Effect.flip(evaluate(url, environment))
      assert.strictEqual(error.reason._tag, "VariableMissing")
      assert.include(error.message, "HOST")
    }
  })
)

it.effect(
  "F79: a line break, a blank or a control character is refused, not taken out as URLs would, and not shown",
  () =>
    Effect.gen(function* () {
      for (const value of ["canary\r\n", "\ncanary", "can\tary", " canary", "canary ", "can\0ary", "canary\u007f"]) {
        const url = value.startsWith(" ") ? "${VALUE}" : "https://mcp.example.com/${VALUE}"
        const error = yield* Effect.flip(evaluate(url, { VALUE: value }))
        assert.strictEqual(error.reason._tag, "UrlInvalid")
        assert.notInclude(error.message, "can")
      }
    })
)

it.effect("F44: another scheme, a user or a password is refused", () =>
  Effect.gen(function* () {
    for (const url of [
      "file:///etc/passwd",
      "ftp://mcp.example.com",
      "https://a:canary@mcp.example.com/",
      "/mcp",
      ""
    ]) {
      const error = yield* Effect.flip(evaluate("${URL:-}", { URL: url }))
      assert.strictEqual(error.reason._tag, "UrlInvalid", url)
      assert.notInclude(error.message, "canary")
    }
  })
)
