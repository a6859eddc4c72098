import * as NodeServices from "@effect/platform-node/NodeServices"
import { expect, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { DocumentUnreadable } from "@letterhead/core/server/ConfigError"
import {
  CONNECT_TIMEOUT_DEFAULT,
  formatPlace,
  type OriginScope,
  type ServerEntry
} from "@letterhead/core/server/ServerEntry"
import * as Schema from "effect/Schema"
import type { ServerReading } from "../src/Dialect.ts"
import { decide } from "../src/Precedence.ts"
import * as ConfigFolder from "./ConfigFolder.ts"

const server = (url: string) => ({ mcpServers: { same: { url } } })

const NOT_APPROVED =
  "an entry of a project does not replace your own of the same name without your approval; rename one of them to use both"

/** Which URL counts, and what is shadowed by what. */
const outcome = (folder: ConfigFolder.ConfigFolder, options?: Parameters<ConfigFolder.ConfigFolder["discover"]>[0]) =>
  Effect.map(folder.discover(options), (config) => {
    const entry = config.servers.get("same")
    return {
      wins: entry?.endpoint.type === "http" ? entry.endpoint.url.source : undefined,
      shadowed: config.shadowed.map(({ place, by, reason }) =>
        `${formatPlace(place)} by ${formatPlace(by)}${reason === undefined ? "" : `: ${reason}`}`.replaceAll(
          `${folder.root}/`,
          ""
        )
      )
    }
  })

layer(NodeServices.layer)("Precedence", (it) => {
  it.effect("within a project the nearest entry wins whole, and what it shadows is reported with both places", () =>
    Effect.gen(function* () {
      const folder = yield* ConfigFolder.make
      yield* folder.write(
        "repository/letterhead.yaml",
        "mcpServers:\n  same:\n    url: https://far\n    headers: { X: y }\n"
      )
      yield* folder.write("repository/a/letterhead.json", `{"mcpServers": {\n  "same": { "url": "https://near" } } }`)
      yield* folder.write("repository/a/.mcp.json", `{"mcpServers": {\n\n  "same": { "url": "https://beside" } } }`)
      const at = { cwd: `${folder.repository}/a` }
      expect(yield* outcome(folder, at)).toEqual({
        wins: "https://near",
        shadowed: [
          "repository/a/.mcp.json:3:3 (mcpServers.same) by repository/a/letterhead.json:2:3 (mcpServers.same)",
          "repository/letterhead.yaml:2:3 (mcpServers.same) by repository/a/letterhead.json:2:3 (mcpServers.same)"
        ]
      })
      expect((yield* Effect.flatMap(folder.discover(at), (config) => config.get("same"))).headers).toEqual([])
    })
  )

  it.effect("a project entry does not take the place of the person's own, and the reason is reported", () =>
    Effect.gen(function* () {
      const folder = yield* ConfigFolder.make
      yield* folder.write("repository/.mcp.json", `{ "mcpServers": { "same": { "url": "https://evil" } } }`)
      yield* folder.write("home/.claude.json", `{ "mcpServers": { "same": { "url": "https://mine" } } }`)
      expect(yield* outcome(folder)).toEqual({
        wins: "https://mine",
        shadowed: [
          `repository/.mcp.json:1:19 (mcpServers.same) by home/.claude.json:1:19 (mcpServers.same): ${NOT_APPROVED}`
        ]
      })
    })
  )

  it.effect("with approval the project entry wins, and only the approved one", () =>
    Effect.gen(function* () {
      const folder = yield* ConfigFolder.make
      yield* folder.write("repository/a/.mcp.json", server("https://near"))
      yield* folder.write("repository/.mcp.json", server("https://far"))
      yield* folder.write("home/.config/letterhead/letterhead.json", server("https://mine"))
      const cwd = `${folder.repository}/a`
      const approving = (url: string) =>
        outcome(folder, {
          cwd,
          approved: (entry) => Effect.succeed(entry.endpoint.type === "http" && entry.endpoint.url.source === url)
        })
      expect((yield* approving("https://near")).wins).toBe("https://near")
      expect((yield* approving("https://far")).wins).toBe("https://far")
      expect((yield* approving("https://other")).wins).toBe("https://mine")
    })
  )

  it.effect("what the person keeps for one project wins over the project and over the rest of the person's", () =>
    Effect.gen(function* () {
      const folder = yield* ConfigFolder.make
      yield* folder.write("home/.claude.json", {
        ...server("https://mine"),
        projects: {
          [folder.repository]: server("https://local"),
          [`${folder.repository}/a`]: server("https://nearer")
        }
      })
      yield* folder.write("repository/.mcp.json", server("https://project"))
      expect((yield* outcome(folder)).wins).toBe("https://local")
      expect((yield* outcome(folder, { cwd: `${folder.repository}/a` })).wins).toBe("https://nearer")
      const entry = yield* Effect.flatMap(folder.discover(), (config) => config.get("same"))
      expect(entry.origin).toEqual({ scope: "user", source: `${folder.home}/.claude.json`, directory: folder.home })
    })
  )

  it.effect("the administrator's entry wins over all", () =>
    Effect.gen(function* () {
      const folder = yield* ConfigFolder.make
      yield* folder.write("etc/letterhead/letterhead.json", server("https://managed"))
      yield* folder.write("repository/.mcp.json", server("https://project"))
      yield* folder.write("home/.claude.json", {
        ...server("https://mine"),
        projects: { [folder.repository]: server("https://local") }
      })
      const config = yield* outcome(folder, { approved: () => Effect.succeed(true) })
      expect(config.wins).toBe("https://managed")
      expect(config.shadowed.length).toBe(3)
      expect(config.shadowed.join()).not.toContain(NOT_APPROVED)
    })
  )

  it.effect("a broken entry keeps its place: a project's does not step in for the person's, nor replace it", () =>
    Effect.gen(function* () {
      const folder = yield* ConfigFolder.make
      yield* folder.write("repository/.mcp.json", { mcpServers: { same: { url: "https://evil" }, other: {} } })
      yield* folder.write("home/.config/letterhead/letterhead.json", {
        mcpServers: { same: { url: "${UNSET}" }, other: { url: "https://other" } }
      })
      const config = yield* folder.discover()
      expect([...config.servers.keys()]).toEqual(["other"])
      expect(config.skipped.map(({ name, origin }) => `${name} ${origin.scope}`)).toEqual(["same user"])
      expect((yield* Effect.flip(config.get("same"))).message).toContain("UNSET is not set")
    })
  )

  it.effect.prop(
    "for each name one entry counts: the first that is not a project's, unapproved and before one of the person's own",
    {
      written: Schema.Array(
        Schema.Struct({
          name: Schema.Literals(["a", "b", "__proto__"]),
          scope: Schema.Literals(["managed", "user", "project", "remote"]),
          skipped: Schema.Boolean,
          approved: Schema.Boolean
        })
      )
    },
    ({ written }) =>
      Effect.gen(function* () {
        const readings = written.map(({ name, scope, skipped }, index): ServerReading => {
          const read = entryIn(name, scope, `/${index}`)
          return skipped
            ? { _tag: "Skipped", name, place: read.place, origin: read.origin, reason: UNREADABLE }
            : { _tag: "Read", name, place: read.place, entry: read }
        })
        const isApproved = (source: string) => written[Number(source.slice(1))]?.approved === true
        const decided = yield* decide(readings, (candidate) => Effect.succeed(isApproved(candidate.origin.source)))

        const names = [...new Set(written.map(({ name }) => name))]
        expect(decided.winners.map(({ name }) => name)).toEqual(names)
        for (const name of names) {
          const same = written.flatMap((one, index) => (one.name === name ? [{ ...one, index }] : []))
          const own = same.findIndex(({ scope }) => scope === "user" || scope === "managed")
          const wins = same.find((one, place) => place >= own || (one.approved && !one.skipped))
          expect(decided.winners.find((winner) => winner.name === name)).toBe(readings[wins?.index ?? -1])
          // Nothing is lost: each of the others is said to be shadowed, by the one that counts.
          const shadowed = decided.shadowed.filter((one) => one.name === name)
          expect(shadowed.map(({ place }) => place.file)).toEqual(
            same.filter((one) => one !== wins).map(({ index }) => `/${index}`)
          )
          for (const { by } of shadowed) expect(by.file).toBe(`/${wins?.index}`)
        }
      }),
    { arbitrary: { runs: 2_000 } }
  )
})

const UNREADABLE = new DocumentUnreadable({ path: "/", description: "is not read" })

const entryIn = (name: string, scope: OriginScope, source: string): ServerEntry => ({
  name,
  origin: { scope, source },
  place: { file: source },
  endpoint: { type: "stdio", command: "program", args: [], env: new Map() },
  headers: [],
  passthrough: [],
  credentials: [],
  auth: "auto",
  hooks: [],
  connectTimeout: CONNECT_TIMEOUT_DEFAULT
})
