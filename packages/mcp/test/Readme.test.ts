/** What the README shows of the faces is what is type-checked and run here. */
import { assert, describe, it } from "@effect/vitest"
import { withCall } from "@letterhead/core/call/CallContext"
import { McpTransport } from "@letterhead/mcp/McpTransport"
import * as MockMcpTransport from "@letterhead/testing/mocks/MockMcpTransport"
import { Client as OlderClient } from "@modelcontextprotocol/sdk/client/index.js"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import * as fetch from "./readme/fetch.ts"
import * as httpClient from "./readme/httpClient.ts"
import { listIssues } from "./readme/requestOptions.ts"
import * as transport from "./readme/transport.ts"

const layer = MockMcpTransport.layer({
  linear: { era: "legacy", tools: { list_issues: (_args, call) => `issues of ${call.sessionId}` } }
})

const answer = (sessionId: string) => [{ type: "text" as const, text: `issues of ${sessionId}` }]

describe("the examples of the README", () => {
  it("are these", () => {
    const readme = readFileSync(join(import.meta.dirname, "../README.md"), "utf8")
    for (const name of ["transport", "requestOptions", "fetch", "httpClient"]) {
      const example = readFileSync(join(import.meta.dirname, `readme/${name}.ts`), "utf8")
      assert.include(readme, `\`\`\`ts\n${example}\`\`\`\n`, name)
    }
  })

  it.effect("carry each session's calls over one transport", () =>
    Effect.gen(function* () {
      const [one, two] = yield* transport.program
      assert.deepStrictEqual(one.content, answer("s-1"))
      assert.deepStrictEqual(two.content, answer("s-2"))
    }).pipe(Effect.provide(layer))
  )

  it.effect("carry a call without Effect", () =>
    Effect.gen(function* () {
      const client = new OlderClient({ name: "my-runtime", version: "1.0.0" })
      const wire = yield* (yield* McpTransport).transport("linear", { principal: "ada" })
      yield* Effect.promise(() => client.connect(wire))
      const { content } = yield* Effect.promise(() => listIssues(client, "s-3", new AbortController().signal))
      assert.deepStrictEqual(content, answer("s-3"))
    }).pipe(Effect.provide(layer))
  )

  it.effect("bind a fetch to one session", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual((yield* fetch.program).content, answer("s-1"))
    }).pipe(Effect.provide(layer))
  )

  it.effect("give the tools of a toolkit the headers of the turn that uses them", () =>
    Effect.gen(function* () {
      const toolkit = yield* httpClient.program
      const results = Effect.flatMap(toolkit.handle("linear__list_issues", {}), Stream.runCollect)
      const [result] = yield* withCall(results, { principal: "ada", sessionId: "s-4" })
      assert.strictEqual(result?.result, "issues of s-4")
    }).pipe(Effect.provide(layer))
  )
})
