import { assert, describe, it } from "@effect/vitest"
import * as LoopbackServer from "@letterhead/testing/LoopbackServer"
import { tokenLine } from "@letterhead/testing/LoopbackServerTokens"
import * as Effect from "effect/Effect"
import { execFile } from "node:child_process"
import * as FileSystem from "node:fs"
import * as OperatingSystem from "node:os"
import * as Path from "node:path"
import { promisify } from "node:util"

/** What the server makes of a credential; behind it, an empty message is an error of another kind. */
const verdict = (server: LoopbackServer.LoopbackServer, authorization?: string) =>
  Effect.promise(async () => {
    const headers = authorization === undefined ? {} : { authorization }
    const response = await fetch(server.url, { method: "POST", body: "{}", headers })
    await response.text()
    return response.status === 401 ? "refused" : "accepted"
  })

const temporaryFolder = Effect.acquireRelease(
  Effect.sync(() => FileSystem.mkdtempSync(Path.join(OperatingSystem.tmpdir(), "letterhead-tokens-"))),
  (folder) => Effect.sync(() => FileSystem.rmSync(folder, { recursive: true }))
)

const soon = () => performance.timeOrigin + performance.now() + 60_000

describe("LoopbackServerTokens", () => {
  it.live("accepts what another process registered, and refuses it after its expiry", () =>
    Effect.gen(function* () {
      const tokensFile = Path.join(yield* temporaryFolder, "tokens")
      const server = yield* LoopbackServer.make({ era: "both", tokensFile })
      assert.strictEqual(yield* verdict(server, "Bearer t1"), "refused")

      const program =
        'const expiry = Date.now() + 1500; require("node:fs").appendFileSync(process.argv[1], `t1 ${expiry}\\n`); ' +
        "process.stdout.write(String(expiry))"
      const { stdout } = yield* Effect.promise(() => promisify(execFile)(process.execPath, ["-e", program, tokensFile]))
      assert.strictEqual(yield* verdict(server, "Bearer t1"), "accepted")
      yield* Effect.sleep(Math.max(0, Number(stdout) - performance.timeOrigin - performance.now()) + 20)
      assert.strictEqual(yield* verdict(server, "Bearer t1"), "refused")
    })
  )

  it.live("withdraws all that are known, and accepts what is registered later", () =>
    Effect.gen(function* () {
      const tokensFile = Path.join(yield* temporaryFolder, "tokens")
      const server = yield* LoopbackServer.make({ era: "both", tokensFile })
      FileSystem.appendFileSync(tokensFile, tokenLine("old", soon()))
      yield* server.tokens.accept("own")
      assert.strictEqual(yield* verdict(server, "Bearer old"), "accepted")
      assert.strictEqual(yield* verdict(server, "bearer own"), "accepted")

      yield* server.tokens.expireAll
      FileSystem.appendFileSync(tokensFile, tokenLine("new", soon()))
      assert.strictEqual(yield* verdict(server, "Bearer old"), "refused")
      assert.strictEqual(yield* verdict(server, "Bearer own"), "refused")
      assert.strictEqual(yield* verdict(server, "Bearer new"), "accepted")
    })
  )

  it.live("ignores a line that is still being written", () =>
    Effect.gen(function* () {
      const tokensFile = Path.join(yield* temporaryFolder, "tokens")
      const server = yield* LoopbackServer.make({ era: "both", tokensFile })
      FileSystem.appendFileSync(tokensFile, `t1 ${soon()}`)
      assert.strictEqual(yield* verdict(server, "Bearer t1"), "refused")
      FileSystem.appendFileSync(tokensFile, "\n")
      assert.strictEqual(yield* verdict(server, "Bearer t1"), "accepted")
    })
  )

  it.live("refuses no credential, another scheme and two tokens", () =>
    Effect.gen(function* () {
      const server = yield* LoopbackServer.make({ era: "both", demandToken: true })
      yield* server.tokens.accept("t1")
      assert.strictEqual(yield* verdict(server), "refused")
      assert.strictEqual(yield* verdict(server, "Basic t1"), "refused")
      assert.strictEqual(yield* verdict(server, "Bearer t1, Bearer t1"), "refused")
      assert.strictEqual(yield* verdict(server, "Bearer t1"), "accepted")
    })
  )
})
