import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, it } from "@effect/vitest"
import { McpConfig } from "@letterhead/core/server/McpConfig"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { join } from "node:path"
import * as Project from "./requests/Project.ts"

const servers = (host: string) =>
  JSON.stringify({ mcpServers: { acme: { type: "http", url: `https://${host}.example.com/mcp` } } })

it.live("what an administrator wrote is trusted and wins over a project's server of that name, which is reported", () =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const project = yield* Project.make({ ".mcp.json": servers("project") })
    const managedDirectory = yield* fs.makeTempDirectoryScoped()
    yield* fs.writeFileString(join(managedDirectory, "letterhead.json"), servers("managed"))
    const config = yield* Effect.provide(McpConfig, project.layer({ managedDirectory }))
    const entry = yield* config.get("acme")
    assert.strictEqual(entry.origin.scope, "managed")
    assert.strictEqual(entry.endpoint.type === "http" && entry.endpoint.url.source, "https://managed.example.com/mcp")
    assert.deepStrictEqual(
      config.shadowed.map(({ name, place }) => [name, place.file]),
      [["acme", join(project.directory, ".mcp.json")]]
    )
  }).pipe(Effect.provide(NodeServices.layer))
)
