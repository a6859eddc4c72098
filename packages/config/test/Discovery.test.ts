import * as NodeServices from "@effect/platform-node/NodeServices"
import { expect, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as ConfigFolder from "./ConfigFolder.ts"

const native = (folder: string) => ["json", "jsonc", "yaml", "yml"].map((ending) => `${folder}/letterhead.${ending}`)

const scoped = (scope: string, files: ReadonlyArray<string>) => files.map((file) => `${scope} ${file}`)

layer(NodeServices.layer)("Discovery", (it) => {
  it.effect("documents are considered in order: managed, local, project nearest first, user", () =>
    Effect.gen(function* () {
      const folder = yield* ConfigFolder.make
      yield* folder.write("repository/a/b/letterhead.yml", "mcpServers: {}")
      const config = yield* folder.discover({ cwd: `${folder.repository}/a/b` })
      const documents = config.documents.map(({ origin }) => `${origin.scope} ${origin.source}`)
      expect(documents).toEqual([
        ...scoped("managed", native(folder.managedDirectory)),
        `user ${folder.home}/.claude.json`,
        ...["/a/b", "/a", ""].flatMap((below) =>
          scoped("project", [
            ...native(folder.repository + below),
            ...[".mcp.json", "opencode.json", "opencode.jsonc", ".oh/config.local.yaml", ".oh/config.yaml"].map(
              (name) => `${folder.repository}${below}/${name}`
            )
          ])
        ),
        ...scoped("user", native(folder.configDirectory)),
        ...scoped("user", [
          `${folder.home}/.config/opencode/opencode.json`,
          `${folder.home}/.config/opencode/opencode.jsonc`
        ])
      ])
      expect(config.documents.filter(({ found }) => found).map(({ origin }) => origin)).toEqual([
        {
          scope: "project",
          source: `${folder.repository}/a/b/letterhead.yml`,
          directory: `${folder.repository}/a/b`,
          workspace: folder.repository
        }
      ])
    })
  )

  it.effect("the search ends at the repository root, which a worktree marks with a file", () =>
    Effect.gen(function* () {
      const folder = yield* ConfigFolder.make
      yield* folder.write(".mcp.json", { mcpServers: { above: { url: "https://a" } } })
      yield* folder.write("repository/.mcp.json", { mcpServers: { root: { url: "https://a" } } })
      yield* folder.write("repository/tree/.git", "gitdir: elsewhere")
      yield* folder.write("repository/tree/.mcp.json", { mcpServers: { tree: { url: "https://a" } } })
      expect([...(yield* folder.discover()).servers.keys()]).toEqual(["root"])
      expect([...(yield* folder.discover({ cwd: `${folder.repository}/tree` })).servers.keys()]).toEqual(["tree"])
    })
  )

  it.effect("where there is no repository, only the working directory is looked at", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const folder = yield* ConfigFolder.make
      yield* fs.remove(`${folder.repository}/.git`, { recursive: true })
      yield* folder.write("repository/.mcp.json", { mcpServers: { above: { url: "https://a" } } })
      yield* folder.write("repository/a/.mcp.json", { mcpServers: { here: { url: "https://a" } } })
      const config = yield* folder.discover({ cwd: `${folder.repository}/a` })
      expect([...config.servers.keys()]).toEqual(["here"])
      expect((yield* config.get("here")).origin.workspace).toBe(`${folder.repository}/a`)
    })
  )

  it.effect("the person's own folder is the person's also where it lies within a repository", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const folder = yield* ConfigFolder.make
      yield* fs.makeDirectory(`${folder.home}/.git`)
      yield* folder.write("home/.config/letterhead/letterhead.json", { mcpServers: { a: { url: "https://a" } } })
      const config = yield* folder.discover({ cwd: folder.configDirectory })
      expect((yield* config.get("a")).origin.scope).toBe("user")
    })
  )

  it.effect("a file that is named is the project's, unless it lies in the person's own folder", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const folder = yield* ConfigFolder.make
      const content = { mcpServers: { a: { url: "https://a" } } }
      const own = yield* folder.write("home/.config/letterhead/work/servers.json", content)
      yield* folder.write("home/.config/letterhead-evil/servers.json", content)
      yield* folder.write("home/.config/servers.json", content)
      yield* folder.write("repository/deep/servers.json", content)
      yield* fs.symlink(folder.configDirectory, `${folder.repository}/link`)
      const scope = (name: string) =>
        Effect.map(
          Effect.flatMap(folder.file(name), (config) => config.get("a")),
          ({ origin }) => origin.scope
        )
      expect(yield* scope(own)).toBe("user")
      expect(yield* scope("link/work/servers.json")).toBe("user")
      expect(yield* scope("deep/servers.json")).toBe("project")
      expect(yield* scope(`${folder.configDirectory}/../servers.json`)).toBe("project")
      expect(yield* scope(`${folder.configDirectory}-evil/servers.json`)).toBe("project")
      expect((yield* Effect.flatMap(folder.file("deep/servers.json"), (config) => config.get("a"))).origin).toEqual({
        scope: "project",
        source: `${folder.repository}/deep/servers.json`,
        directory: `${folder.repository}/deep`,
        workspace: folder.repository
      })
    })
  )

  it.effect("a link in a project to a file of the person's makes nothing of the project the person's", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const folder = yield* ConfigFolder.make
      const own = yield* folder.write("home/.config/letterhead/letterhead.json", {
        mcpServers: { a: { url: "https://a", headersHelper: { command: ["./own.sh"] } } }
      })
      yield* fs.symlink(own, `${folder.repository}/letterhead.json`)
      const config = yield* folder.discover()
      expect((yield* config.get("a")).origin.scope).toBe("user")
      expect(config.shadowed.map(({ place }) => place.file)).toEqual([`${folder.repository}/letterhead.json`])
    })
  )

  it.effect("a link that is named and leads to the person's own file makes nothing beside the link the person's", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const folder = yield* ConfigFolder.make
      const own = yield* folder.write("home/.config/letterhead/letterhead.json", {
        mcpServers: { a: { url: "https://a", headersHelper: { command: ["./token.sh"] } } }
      })
      yield* fs.symlink(own, `${folder.repository}/letterhead.json`)
      const config = yield* folder.file("letterhead.json")
      expect((yield* config.get("a")).origin).toEqual({
        scope: "user",
        source: own,
        directory: folder.configDirectory
      })
    })
  )
})
