/** Archestra, "a remote MCP catalog entry should be able to declare static auth/header mapping for custom headers". */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { SecretStore } from "@letterhead/core/secrets/SecretStore"
import * as LoopbackServer from "@letterhead/testing/LoopbackServer"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { join } from "node:path"
import * as Project from "./Project.ts"

/** The request shows no snippet; this catalogue item stands for it. */
const ITEM = `
{ "name": "weather", "serverType": "remote", "serverUrl": "https://mcp.example.com/mcp",
  "userConfig": {
    "API_KEY": { "type": "string", "title": "API key", "description": "From your account page", "required": true, "sensitive": true, "headerName": "x-api-key" },
    "TENANT": { "type": "string", "title": "Tenant", "description": "Tenant id", "default": "acme", "headerName": "x-tenant", "valuePrefix": "t-" },
    "access_token": { "type": "string", "title": "Token", "description": "Bearer token", "sensitive": true } } }
`

const scene = Effect.gen(function* () {
  const server = yield* LoopbackServer.make({ era: "both" })
  const project = yield* Project.make({ "weather.json": ITEM.replace("https://mcp.example.com/mcp", server.url) })
  const origin = new URL(server.url).origin
  const set = Effect.fnUntraced(function* (field: string, value: string, principal = "local") {
    yield* (yield* SecretStore).set({ principal, origin, server: "weather", field }, Redacted.make(value))
  })
  return { server, set, layer: project.layer({ configFile: join(project.directory, "weather.json") }) }
})

describe("Archestra: static credentials in custom headers", () => {
  it.live("each field goes into the header it names, with its prefix or its default", () =>
    Effect.gen(function* () {
      const { server, set, layer } = yield* scene
      yield* Effect.gen(function* () {
        yield* Project.approveAll
        yield* set("API_KEY", "key-canary")
        yield* set("access_token", "token-canary")
        yield* Project.callOnce("weather")
      }).pipe(Effect.provide(layer))
      const requests = yield* server.requests
      assert.isNotEmpty(requests)
      for (const { headers } of requests) {
        assert.strictEqual(headers.get("x-api-key"), "key-canary")
        assert.strictEqual(headers.get("x-tenant"), "t-acme")
        assert.strictEqual(headers.get("authorization"), "Bearer token-canary")
      }
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it.live("a required field that is not set: no call, and the error names the command that sets it", () =>
    Effect.gen(function* () {
      const { server, layer } = yield* scene
      const error = yield* Effect.flip(Effect.andThen(Project.approveAll, Project.callOnce("weather"))).pipe(
        Effect.provide(layer)
      )
      assert.include(error.message, "letterhead credential set weather API_KEY")
      assert.deepStrictEqual(yield* server.requests, [])
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it.live("what one user filled in is not sent for another", () =>
    Effect.gen(function* () {
      const { server, set, layer } = yield* scene
      yield* Effect.gen(function* () {
        yield* Project.approveAll
        yield* set("API_KEY", "key of ada", "ada")
        yield* Project.callOnce("weather", { principal: "ada" })
        const error = yield* Effect.flip(Project.callOnce("weather", { principal: "bob" }))
        assert.include(error.message, "API_KEY is required and not set")
      }).pipe(Effect.provide(layer))
      assert.isTrue((yield* server.requests).every(({ headers }) => headers.get("x-api-key") === "key of ada"))
    }).pipe(Effect.provide(NodeServices.layer))
  )
})
