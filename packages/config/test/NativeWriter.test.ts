import { expect, it } from "@effect/vitest"
import * as NodePath from "@effect/platform-node/NodePath"
import type { ServerEntry } from "@letterhead/core/server/ServerEntry"
import * as Effect from "effect/Effect"
import * as Path from "effect/Path"
import * as Result from "effect/Result"
import { randomFrom } from "./randomDocument.ts"
import type { Dialect, Reading } from "../src/Dialect.ts"
import { claudeCode } from "../src/dialects/claudeCode.ts"
import { native } from "../src/dialects/native.ts"
import { openCode } from "../src/dialects/openCode.ts"
import * as DocumentReader from "../src/DocumentReader.ts"
import * as NativeWriter from "../src/NativeWriter.ts"

const RUNS = 1_000

/** An entry in the native form, each part of it there or not. */
const randomEntry = (random: () => number): Record<string, unknown> => {
  const maybe = (entry: Record<string, unknown>) => (random() < 0.5 ? entry : {})
  const pick = <A>(...items: ReadonlyArray<A>) => items[Math.floor(random() * items.length)]
  const text = () =>
    Array.from({ length: 1 + Math.floor(random() * 4) }, () =>
      pick("a", "$$", "${V}", "${V:-d}", "${V:-$$x}", "{env:V}", "{file:./f}", "{file:$$f}", "{", "}", "$", "é b")
    ).join("")
  if (random() < 0.2) return { command: "run", ...maybe({ args: ["a", "${B}"] }), ...maybe({ env: { A: text() } }) }
  return {
    url: `https://a.example/${pick("", "${V}", "$$", "{file:./p}")}`,
    ...maybe({ type: pick("http", "sse", "streamable-http") }),
    ...maybe({ headers: { "X-A": text(), ...maybe({ "X-B": "{file:./b}" }), ...maybe({ "X-__proto__": "$$" }) } }),
    ...maybe({
      headersHelper: pick<unknown>("./helper.sh", {
        command: pick<unknown>(["node", "./a.js"], "run | it"),
        ...maybe({ environment: { P: text() } }),
        ...maybe({ timeout: 100 + Math.floor(random() * 1_000) }),
        ...maybe({ retry: { ...maybe({ times: 2 }), ...maybe({ delay: 5 }) } }),
        ...maybe({ passEnv: ["A"] }),
        ...maybe({ cache: pick<unknown>("never", "expires", 60) }),
        ...maybe({ onFailure: pick("fail", "static") }),
        ...maybe({ files: pick<unknown>([], ["./a"]) })
      })
    }),
    ...maybe({
      oauth: pick<unknown>(
        {
          ...maybe({ clientId: text(), ...maybe({ clientSecret: text() }) }),
          ...maybe({ scopes: pick<unknown>([], ["a:b", "c"]) }),
          ...maybe({ callbackPort: pick(0, 8080) })
        },
        {
          clientId: text(),
          ...maybe({ scopes: ["a"], issuer: "https://as.example" }),
          ...pick<object>(
            { grant: "client_credentials", clientSecret: text() },
            { grant: "client_credentials", privateKey: text(), signingAlgorithm: "ES256" },
            { grant: "jwt_bearer", assertion: text(), ...maybe({ clientSecret: text() }) },
            {
              grant: "id_jag",
              idToken: text(),
              identityProvider: {
                issuer: "https://idp.example",
                clientId: text(),
                ...maybe({ clientSecret: text() }),
                ...maybe({ tokenEndpoint: "https://idp.example/token" })
              }
            }
          )
        }
      )
    }),
    ...maybe({
      passthroughHeaders: [
        "x-p",
        ...(random() < 0.5
          ? [
              {
                name: "x-q",
                as: "Authorization",
                credential: true,
                ...maybe({ required: true }),
                ...maybe({ override: true })
              }
            ]
          : [])
      ]
    }),
    ...maybe({
      userConfig: {
        ...maybe({ access_token: { ...maybe({ sensitive: false }), headerName: "x-t" } }),
        ...maybe({ raw_access_token: { headerName: "x-r", valuePrefix: "p " } }),
        ...maybe({
          K: { headerName: "x-k", ...maybe({ title: "T" }), ...maybe({ required: true }), ...maybe({ default: "d" }) }
        })
      }
    }),
    ...maybe({ auth: pick("auto", "none") }),
    ...maybe({ timeout: 100 + Math.floor(random() * 1_000) })
  }
}

const decode = (dialect: Dialect, value: unknown, path: Path.Path): Reading =>
  Result.getOrThrow(
    dialect.decode(Result.getOrThrow(DocumentReader.fromValue("document", value)), {
      origin: { scope: "user", source: "document", directory: "/folder" },
      environment: undefined,
      path
    })
  )

const entries = (reading: Reading): ReadonlyArray<ServerEntry> =>
  reading.servers.flatMap((server) => (server._tag === "Read" ? [server.entry] : []))

/** An entry without places, and with templates as what they make. */
const essence = (value: unknown): unknown => {
  if (value instanceof Map) return essence(Object.fromEntries(value))
  if (Array.isArray(value)) return value.map(essence)
  if (typeof value !== "object" || value === null) return value
  const parts = Object.entries(value).filter(([key]) => key !== "place" && !(key === "source" && "parts" in value))
  return Object.fromEntries(parts.map(([key, part]) => [key, essence(part)]))
}

it.effect(`what is written decodes to the same entries (${RUNS} documents)`, () =>
  Effect.gen(function* () {
    const path = yield* Path.Path
    let compared = 0
    for (let seed = 0; seed < RUNS; seed++) {
      const random = randomFrom(seed)
      const document = {
        mcpServers: { a: randomEntry(random), b: randomEntry(random) },
        hooks: ["./hook.js"],
        credentials: { storage: "filesystem" }
      }
      const reading = decode(native, document, path)
      const { lost, value } = NativeWriter.write(reading, (hook) => hook)
      const again = decode(native, JSON.parse(JSON.stringify(value)), path)
      expect(essence(entries(again)), `${seed}`).toEqual(essence(entries(reading)))
      expect(again.credentialStorage).toBe("filesystem")
      const skipped = reading.servers.filter(({ _tag }) => _tag === "Skipped").length
      expect(lost.length).toBe(reading.warnings.length + skipped)
      compared += entries(reading).length
    }
    expect(compared).toBeGreaterThan(RUNS)
  }).pipe(Effect.provide(NodePath.layer))
)

it.effect("text that another dialect takes literally stays literal, or is said to be lost", () =>
  Effect.gen(function* () {
    const path = yield* Path.Path
    const written = (dialect: Dialect, document: unknown) =>
      NativeWriter.write(decode(dialect, document, path), (hook) => hook)
    const headers = { A: "$$5 $x ${V} ${W:-}", B: "{file" }
    const shell = written(claudeCode, { mcpServers: { a: { url: "https://a", headers } } })
    expect(shell).toMatchObject({
      value: { mcpServers: { a: { headers: { A: "$$$$5 $$x ${V} ${W:-}", B: "{file" } } } },
      lost: []
    })
    const braces = written(openCode, {
      mcp: { a: { type: "remote", url: "https://a", headers: { A: "${V}{env:V}" } } }
    })
    expect(braces).toMatchObject({ value: { mcpServers: { a: { headers: { A: "$${V}${V}" } } } } })
    const lost = written(claudeCode, { mcpServers: { a: { url: "https://a", headers: { A: "x{file:y}" } } } })
    expect(lost.value["mcpServers"]).toEqual(Object.create(null))
    expect(lost.lost.map(({ message, place }) => [place.path, message])).toEqual([
      [
        "mcpServers.a.headers.A",
        'the server "a": "A" holds text that the native form would take for a variable or a file; write it in another way'
      ]
    ])
  }).pipe(Effect.provide(NodePath.layer))
)

it.effect("what is not carried over is named: skipped servers, plugins, keys that mean nothing", () =>
  Effect.gen(function* () {
    const path = yield* Path.Path
    const reading = decode(
      openCode,
      {
        plugin: ["./p.js", "package"],
        mcp: {
          off: { type: "local", command: ["x"], enabled: false },
          a: { type: "remote", url: "https://a", colour: 1 }
        }
      },
      path
    )
    const { lost, value } = NativeWriter.write(reading, (hook) => hook)
    expect(JSON.parse(JSON.stringify(value))).toEqual({ mcpServers: { a: { url: "https://a" } } })
    expect(lost.map(({ message }) => message)).toEqual([
      'the plugin "package" is no local file, and is left alone',
      'unknown key "colour" is ignored; remove it',
      'the server "off": document (mcp.off.enabled): the entry is disabled here; enable it to use it',
      'the plugin /folder/p.js: if its default export has "mcp.call.before", list it under "hooks"'
    ])
  }).pipe(Effect.provide(NodePath.layer))
)
