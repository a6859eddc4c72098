import * as NodeServices from "@effect/platform-node/NodeServices"
import { expect, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as ConfigFolder from "../ConfigFolder.ts"

const ITEM = {
  name: "weather",
  serverType: "remote",
  serverUrl: "https://mcp.example.com/mcp",
  userConfig: {
    API_KEY: {
      type: "string",
      title: "API key",
      description: "From your account page",
      required: true,
      sensitive: true,
      headerName: "x-api-key"
    },
    TENANT: {
      type: "string",
      title: "Tenant",
      description: "Tenant id",
      default: "acme",
      headerName: "x-tenant",
      valuePrefix: "t-"
    },
    access_token: { type: "string", title: "Token", description: "Bearer token", sensitive: true }
  }
}

layer(NodeServices.layer)("archestra", (it) => {
  it.effect("the fields of a catalogue item become headers", () =>
    Effect.gen(function* () {
      const folder = yield* ConfigFolder.make
      yield* folder.write("repository/weather.json", {
        ...ITEM,
        id: "1",
        instructions: "…",
        userConfig: ITEM.userConfig
      })
      const config = yield* folder.file("weather.json")
      expect(config.warnings).toEqual([])
      expect(yield* config.get("weather")).toMatchObject({
        endpoint: { type: "http", transport: "auto", url: { source: "https://mcp.example.com/mcp" } },
        credentials: [
          {
            name: "API_KEY",
            title: "API key",
            headerName: "x-api-key",
            valuePrefix: "",
            required: true,
            sensitive: true
          },
          {
            name: "TENANT",
            headerName: "x-tenant",
            valuePrefix: "t-",
            default: "acme",
            required: false,
            sensitive: false
          },
          { name: "access_token", headerName: "Authorization", valuePrefix: "Bearer ", sensitive: true }
        ]
      })
      expect((yield* config.get("weather")).credentials[0]?.place).toMatchObject({ path: "userConfig.API_KEY" })
    })
  )

  it.effect("a local server is skipped by name, and an item without a URL says so", () =>
    Effect.gen(function* () {
      const folder = yield* ConfigFolder.make
      yield* folder.write("repository/local.json", { name: "l", serverType: "local", userConfig: {} })
      expect(ConfigFolder.skips(yield* folder.file("local.json"), folder.root)[0]).toContain('expected "remote"')
      yield* folder.write("repository/bare.json", { name: "b", serverType: "remote", userConfig: null })
      expect(ConfigFolder.skips(yield* folder.file("bare.json"), folder.root)[0]).toContain(
        'expected the key "serverUrl"'
      )
    })
  )

  it.effect("the client of an item and its scopes are those of a sign-in", () =>
    Effect.gen(function* () {
      const folder = yield* ConfigFolder.make
      const settings = { name: "W", server_url: "https://mcp.example.com", redirect_uris: ["https://a/callback"] }
      const items = {
        registered: { client_id: "id", client_secret: "s$1", scopes: [], default_scopes: ["read"] },
        dynamic: { client_id: "", client_secret: null, scopes: ["a", "b"] },
        wrong: { client_id: 5 }
      }
      for (const [name, config] of Object.entries(items)) {
        yield* folder.write(`repository/${name}.json`, { ...ITEM, name, oauthConfig: { ...settings, ...config } })
      }
      const read = (name: string) => folder.file(`${name}.json`)
      expect((yield* (yield* read("registered")).get("registered")).oauth).toMatchObject({
        clientId: { source: "id" },
        clientSecret: { parts: [{ _tag: "Text", text: "s$1" }] },
        scopes: ["read"]
      })
      const { clientId, scopes } = (yield* (yield* read("dynamic")).get("dynamic")).oauth ?? {}
      expect([clientId, scopes]).toEqual([undefined, ["a", "b"]])
      expect(ConfigFolder.skips(yield* read("wrong"), folder.root)).toEqual([
        expect.stringContaining("(oauthConfig.client_id): expected a string")
      ])
    })
  )
})
