import * as NodeServices from "@effect/platform-node/NodeServices"
import { expect, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import * as Tracer from "effect/Tracer"
import * as ConfigFolder from "./ConfigFolder.ts"
import * as RemoteServer from "./RemoteServer.ts"
import { REMOTE_SIZE_LIMIT, REMOTE_TIMEOUT } from "../src/RemoteReader.ts"

const CANARY = "canary-77aa"

/** What Node's fetch sends of its own accord. */
const OF_FETCH = new Set([
  "accept",
  "accept-encoding",
  "accept-language",
  "cache-control",
  "connection",
  "host",
  "pragma",
  "sec-fetch-mode",
  "user-agent"
])

const servers = (name: string) => ({ mcpServers: { [name]: { url: `https://${name}.example.com` } } })

layer(NodeServices.layer)("RemoteConfig", (it) => {
  it.effect("OpenCode's remote configuration is read at its well-known address, with nothing of ours sent", () =>
    Effect.gen(function* () {
      const folder = yield* ConfigFolder.make
      const { origin, requests } = yield* RemoteServer.make({
        "/.well-known/opencode": {
          auth: { command: ["login"], env: "TOKEN" },
          config: {
            plugin: ["./local.js"],
            mcp: {
              api: {
                type: "remote",
                url: "https://mcp.example.com/mcp",
                headersHelper: { command: ["node", "./scripts/mcp-headers.js"], environment: { PROFILE: "prod" } }
              }
            }
          }
        }
      })
      const url = `${origin}/.well-known/opencode`
      const config = yield* folder.remote(url).pipe(Effect.withSpan("a span of the runtime"))
      expect(yield* config.get("api")).toMatchObject({
        origin: { scope: "remote", source: url },
        place: { file: url, line: 1, path: "config.mcp.api" },
        helper: { command: ["node", "./scripts/mcp-headers.js"] },
        hooks: []
      })
      expect((yield* config.get("api")).origin.directory).toBeUndefined()
      expect(config.documents).toEqual([{ origin: { scope: "remote", source: url }, found: true }])
      expect(requests).toHaveLength(1)
      expect(Object.keys(requests[0]?.headers ?? {}).filter((name) => !OF_FETCH.has(name))).toEqual([])
    })
  )

  it.effect("JSON with comments and YAML are told by the address or the content type", () =>
    Effect.gen(function* () {
      const folder = yield* ConfigFolder.make
      const yaml = "mcpServers: { b: { url: https://b } }"
      const { origin } = yield* RemoteServer.make({
        "/a.jsonc": `// mine\n{ "mcpServers": { "a": { "url": "https://a" } } }`,
        "/b.yaml": yaml,
        "/b": (response) => response.writeHead(200, { "content-type": "application/yaml; charset=utf-8" }).end(yaml)
      })
      for (const [path, name] of [
        ["/a.jsonc", "a"],
        ["/b.yaml", "b"],
        ["/b", "b"]
      ] as const) {
        expect([...(yield* folder.remote(origin + path)).servers.keys()]).toEqual([name])
      }
    })
  )

  it.effect("what a file extends counts after it; one that fails is listed, and the rest works", () =>
    Effect.gen(function* () {
      const folder = yield* ConfigFolder.make
      const { origin, requests } = yield* RemoteServer.make({
        "/good.json": {
          ...servers("shared"),
          mcpServers: { ...servers("shared").mcpServers, mine: { url: "https://evil" } }
        },
        "/again.json": { extends: [`http://127.0.0.1:9/x.json`], ...servers("again") },
        "/broken.json": "{"
      })
      yield* folder.write("repository/letterhead.json", {
        extends: [
          `${origin}/good.json`,
          `${origin}/missing.json`,
          `${origin}/broken.json`,
          "ftp://x",
          `${origin}/again.json`
        ],
        mcpServers: { own: { url: "https://own" } }
      })
      yield* folder.write("home/.config/letterhead/letterhead.json", { mcpServers: { mine: { url: "https://mine" } } })
      const config = yield* folder.discover()
      expect([...config.servers.keys()].toSorted()).toEqual(["again", "mine", "own", "shared"])
      expect((yield* config.get("shared")).origin).toEqual({ scope: "remote", source: `${origin}/good.json` })
      // A remote entry does not take the place of the person's own.
      expect((yield* config.get("mine")).origin.scope).toBe("user")
      expect(config.shadowed).toMatchObject([
        { name: "mine", reason: expect.stringContaining("without your approval") }
      ])
      expect(config.failed.map(({ reason }) => reason.message)).toEqual([
        `${origin}/missing.json: answered 404 instead of 200; check the address`,
        `${origin}/broken.json:1:2: not valid JSON: "}" is missing; close the object`,
        "ftp://: is refused: only https, or http on this machine"
      ])
      expect(config.warnings.map(({ message }) => message)).toEqual([
        "a configuration from a URL extends no other; name this one in your own file"
      ])
      expect(requests.map(({ url }) => url).toSorted()).toEqual([
        "/again.json",
        "/broken.json",
        "/good.json",
        "/missing.json"
      ])
    })
  )

  it.effect("a redirect is followed within the origin, and never across it", () =>
    Effect.gen(function* () {
      const folder = yield* ConfigFolder.make
      const other = yield* RemoteServer.make({ "/a.json": servers("stolen") })
      const { origin } = yield* RemoteServer.make({
        "/within": (response) => response.writeHead(302, { location: "/a.json" }).end(),
        "/a.json": servers("a"),
        "/across": (response) => response.writeHead(307, { location: `${other.origin}/a.json` }).end(),
        "/loop": (response) => response.writeHead(302, { location: "/loop" }).end()
      })
      expect([...(yield* folder.remote(`${origin}/within`)).servers.keys()]).toEqual(["a"])
      expect((yield* Effect.flip(folder.remote(`${origin}/across`))).message).toBe(
        `${origin}/across: redirects to ${other.origin}, which is refused; name that address itself`
      )
      expect((yield* Effect.flip(folder.remote(`${origin}/loop`))).message).toContain("redirects more than 5 times")
      expect(other.requests).toEqual([])
    })
  )

  it.effect("an answer that never ends is stopped at its size", () =>
    Effect.gen(function* () {
      const folder = yield* ConfigFolder.make
      const { origin } = yield* RemoteServer.make({
        "/big": (response) => {
          const more = () => {
            if (!response.destroyed && response.write(" ".repeat(64 * 1024))) setImmediate(more)
            else response.once("drain", more)
          }
          more()
        }
      })
      expect((yield* Effect.flip(folder.remote(`${origin}/big`))).message).toBe(
        `${origin}/big: is larger than ${REMOTE_SIZE_LIMIT} bytes; make it smaller`
      )
    })
  )

  it.effect("a server that never answers is given up in time", () =>
    Effect.gen(function* () {
      const folder = yield* ConfigFolder.make
      const { origin, requests } = yield* RemoteServer.make({ "/silent": () => undefined })
      const fiber = yield* Effect.forkChild(Effect.flip(folder.remote(`${origin}/silent`)))
      yield* TestClock.withLive(
        Effect.sleep(10).pipe(Effect.repeat({ until: () => requests.length > 0, times: 1_000 }))
      )
      yield* TestClock.adjust(REMOTE_TIMEOUT)
      expect((yield* Fiber.join(fiber)).message).toContain(`did not answer within ${REMOTE_TIMEOUT} ms`)
    })
  )

  it.effect("F44: what is not https is refused except on this machine, and a user in a URL always", () =>
    Effect.gen(function* () {
      const folder = yield* ConfigFolder.make
      for (const url of [
        "http://example.com/a",
        "http://127.0.0.1.example.com/a",
        "http://10.0.0.1/a",
        "file:///etc/passwd",
        `https://user:${CANARY}@example.com/a`,
        `https://${CANARY}@:/`
      ]) {
        const { message } = yield* Effect.flip(folder.remote(url))
        expect(message).toMatch(/refused|is not a URL/)
        expect(message).not.toContain(CANARY)
      }
    })
  )

  it.effect("F50: a query is sent, and shown neither in places nor in errors nor in spans", () =>
    Effect.gen(function* () {
      const folder = yield* ConfigFolder.make
      const spans: Array<Tracer.Span> = []
      const tracer = Tracer.make({
        span: (options) => {
          const span = new Tracer.NativeSpan(options)
          spans.push(span)
          return span
        }
      })
      const { origin, requests } = yield* RemoteServer.make({ "/a": { mcpServers: { a: {} } } })
      const config = yield* folder.remote(`${origin}/a?token=${CANARY}`).pipe(Effect.withTracer(tracer))
      expect(requests[0]?.url).toContain(CANARY)
      expect(config.skipped[0]?.reason.message).toContain(`${origin}/a?…:1:`)
      const missing = yield* Effect.flip(folder.remote(`${origin}/b?token=${CANARY}`))
      expect(missing.message).toBe(`${origin}/b?…: answered 404 instead of 200; check the address`)
      const shown = JSON.stringify([
        config.skipped,
        config.documents,
        spans.map((span) => [span.name, [...span.attributes]])
      ])
      expect(shown).not.toContain(CANARY)
    })
  )
})
