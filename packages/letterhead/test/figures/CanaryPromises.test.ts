/** F50 for the Promise face: what it rejects with, in every way in which a program prints an error. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import * as LoopbackServer from "@letterhead/testing/LoopbackServer"
import { type Fault, redirect } from "@letterhead/testing/LoopbackServerFault"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { Client } from "@modelcontextprotocol/client"
import { Client as OlderClient } from "@modelcontextprotocol/sdk/client/index.js"
import { join } from "node:path"
import { createLetterhead } from "../../src/promise/LetterheadClient.ts"
import type { PromiseHook } from "../../src/promise/PromiseHook.ts"
import {
  ADDED,
  HEADER,
  INCOMING,
  IN_URL,
  PASSWORD,
  PRINTED,
  QUOTED,
  THROWN,
  TIMEOUT,
  type Scene,
  expectNothing,
  scene
} from "./Canary.ts"
import { repeating } from "./CanaryRequests.ts"
import { attempt } from "./Evidence.ts"

const FACTS = { session: "s-1", call: "c-1", incoming: { "x-incoming": INCOMING } }

const sets = (name: string, value: string): PromiseHook => ({
  name: "sets",
  "mcp.call.before": (_input, output) => {
    output.headers[name] = value
  }
})

const HOOKS: ReadonlyArray<PromiseHook> = [
  sets("X-Hook", `${THROWN}\r\n`),
  sets("Host", THROWN),
  sets("X Hook", THROWN),
  {
    name: "throws",
    "mcp.call.before": () => {
      throw new Error(THROWN, { cause: new Error(THROWN) })
    }
  },
  { name: "rejects", "mcp.call.before": () => Promise.reject(Object.assign(new Error(THROWN), { code: THROWN })) }
]

const FAULTS: ReadonlyArray<Fault> = [
  ...[400, 401, 403, 404, 429, 431, 500].map((status) => ({ status, body: repeating })),
  redirect(302, `https://${PRINTED}.example.com/${HEADER}`),
  redirect(308, `/${IN_URL}/mcp`),
  { status: 200, headers: { "content-type": "application/json" }, body: `{"${PRINTED}": ${HEADER}` },
  { status: 200, headers: { "content-type": PRINTED }, body: repeating },
  { close: "before headers" },
  { close: "within body" }
]

/** Over one server, all of whose sources supply a secret. */
const open = (
  { folder, state, writeOnce }: Scene,
  url: string,
  hook: PromiseHook,
  more: Readonly<Record<string, unknown>> = {}
) => {
  const printed = JSON.stringify({
    Authorization: `Bearer ${PRINTED}`,
    "X-Password": `Basic ${Buffer.from(`ada:${PASSWORD}`).toString("base64")}`
  })
  const helper = writeOnce("helper.sh", `#!/bin/sh\necho 'with ${PRINTED}' >&2\necho '${printed}'\n`, 0o755)
  const api = {
    url: `${url}?key=${IN_URL}`,
    headers: { "X-Static": HEADER, "X-Quoted": QUOTED, "X-Variable": "${SECRET}" },
    headersHelper: { command: [helper], environment: { API_TOKEN: ADDED } },
    passthroughHeaders: ["x-incoming"],
    ...more
  }
  return createLetterhead({
    config: { mcpServers: { api } },
    cwd: folder,
    stateDirectory: state,
    credentialsDirectory: join(folder, "credentials"),
    credentialStorage: "filesystem",
    environment: { HOME: folder, PATH: process.env["PATH"], SECRET: `${THROWN}variable` },
    hooks: [hook]
  })
}

type Letterhead = ReturnType<typeof open>

const GOOD = sets("X-Hook", THROWN)

const within = <A>(letterhead: Letterhead, use: (letterhead: Letterhead) => Effect.Effect<A>) =>
  Effect.ensuring(
    use(letterhead),
    Effect.promise(() => letterhead.close())
  )

describe.concurrent("a promise that rejects", () => {
  it.live(
    "F50: no rejection shows one, of a connection, a call, a fetch or a client of either SDK",
    () =>
      Effect.gen(function* () {
        const stage = yield* scene
        const { evidence } = stage
        const rejects = Effect.fnUntraced(function* (what: string, run: () => Promise<unknown>) {
          const exit = yield* evidence.observe(what, attempt(run))
          assert.isTrue(Exit.isFailure(exit), what)
        })
        yield* Effect.forEach(
          FAULTS,
          (fault, index) =>
            Effect.gen(function* () {
              const server = yield* LoopbackServer.make({ era: "both" })
              const what = `fault ${index}`
              yield* within(open(stage, server.url, GOOD), (letterhead) =>
                Effect.gen(function* () {
                  const connection = yield* Effect.promise(() => letterhead.connect("api", FACTS))
                  const newer = new Client({ name: "newer", version: "1" }, { versionNegotiation: { mode: "auto" } })
                  const older = new OlderClient({ name: "older", version: "1" })
                  yield* Effect.promise(async () => {
                    await newer.connect(await letterhead.transport("api", FACTS))
                    await older.connect(await letterhead.transport("api", FACTS))
                  })
                  yield* server.respondNext({ ...fault, times: 1_000 })
                  yield* rejects(what, () => connection.callTool("echo", {}, { ...FACTS, timeout: 400 }))
                  yield* rejects(`${what} SDK 2`, () =>
                    newer.callTool({ name: "echo", arguments: {} }, { ...letterhead.callOptions(FACTS), timeout: 400 })
                  )
                  yield* rejects(`${what} SDK 1`, () =>
                    older.callTool({ name: "echo", arguments: {} }, undefined, {
                      ...letterhead.callOptions(FACTS),
                      timeout: 400
                    })
                  )
                  yield* rejects(`${what} fetch`, async () => {
                    const fetch = await letterhead.fetch("api", FACTS)
                    const url = `${server.url}?key=${IN_URL}`
                    const response = await fetch(url, { method: "POST", body: "{}", signal: AbortSignal.timeout(400) })
                    const text = await response.text()
                    throw new Error(response.ok ? "answered" : text)
                  })
                  const sent = (yield* server.requests).findLast(({ rpcMethod }) => rpcMethod === "tools/call")
                  assert.strictEqual(sent?.headers.get("x-hook"), THROWN, what)
                  yield* server.clearFaults
                })
              )
              yield* server.respondNext({ ...fault, times: 1_000 })
              yield* within(open(stage, server.url, GOOD, { connectTimeout: 400 }), (letterhead) =>
                Effect.ensuring(
                  rejects(`${what} at connect`, () => letterhead.connect("api", FACTS)),
                  server.clearFaults
                )
              )
            }).pipe(Effect.scoped),
          { concurrency: 6, discard: true }
        )

        const server = yield* LoopbackServer.make({ era: "modern" })
        for (const hook of HOOKS) {
          yield* within(open(stage, server.url, hook), (letterhead) =>
            rejects(`hook ${hook.name}`, async () => {
              const connection = await letterhead.connect("api", FACTS)
              return connection.callTool("echo", {}, FACTS)
            })
          )
        }
        const failing = stage.write("failing.sh", `#!/bin/sh\necho ${PRINTED}; exit 3\n`, 0o755)
        const wrong: ReadonlyArray<Readonly<Record<string, unknown>>> = [
          { headers: { "X A": HEADER } },
          { headers: { Host: HEADER } },
          { headers: { A: `${HEADER}\${UNSET}` } },
          { headers: { A: [HEADER] } },
          { headersHelper: { command: [failing] } },
          { url: `ftp://someone:${PASSWORD}@127.0.0.1/${IN_URL}` },
          { url: `http://127.0.0.1:9/mcp?key=${IN_URL}` }
        ]
        for (const [index, entry] of wrong.entries()) {
          yield* within(open(stage, server.url, GOOD, entry), (letterhead) =>
            rejects(`entry ${index}`, () => letterhead.connect("api", FACTS))
          )
        }
        expectNothing(evidence)
      }).pipe(Effect.provide(NodeServices.layer)),
    TIMEOUT
  )
})
