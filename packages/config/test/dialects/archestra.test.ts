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
})
