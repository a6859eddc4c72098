import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, layer } from "@effect/vitest"
import * as LoopbackServer from "@letterhead/testing/LoopbackServer"
import { tokenLine } from "@letterhead/testing/LoopbackServerTokens"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"
import { execFile } from "node:child_process"
import { promisify } from "node:util"

/** What the server makes of a credential; behind it, an empty message is an error of another kind. */
const verdict = (server: LoopbackServer.LoopbackServer, authorization?: string) =>
  Effect.promise(async () => {
    const headers = authorization === undefined ? {} : { authorization }
    const response = await fetch(server.url, { method: "POST", body: "{}", headers })
    await response.text()
    return response.status === 401 ? "refused" : "accepted"
  })

/** The path of a file that does not exist yet, in a folder that goes with the scope. */
const freshFile = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  return (yield* Path.Path).join(yield* fs.makeTempDirectoryScoped({ prefix: "letterhead-tokens-" }), "tokens")
})

const append = (file: string, text: string) =>
  Effect.flatMap(FileSystem.FileSystem, (fs) => fs.writeFileString(file, text, { flag: "a" }))

const soon = () => performance.timeOrigin + performance.now() + 60_000

layer(NodeServices.layer, { excludeTestServices: true })("LoopbackServerTokens", (it) => {
  it.effect("accepts what another process registered, and refuses it after its expiry", () =>
    Effect.gen(function* () {
      const tokensFile = yield* freshFile
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

  it.effect("withdraws all that are known, and accepts what is registered later", () =>
    Effect.gen(function* () {
      const tokensFile = yield* freshFile
      const server = yield* LoopbackServer.make({ era: "both", tokensFile })
      yield* append(tokensFile, tokenLine("old", soon()))
      yield* server.tokens.accept("own")
      assert.strictEqual(yield* verdict(server, "Bearer old"), "accepted")
      assert.strictEqual(yield* verdict(server, "bearer own"), "accepted")

      yield* server.tokens.expireAll
      yield* append(tokensFile, tokenLine("new", soon()))
      assert.strictEqual(yield* verdict(server, "Bearer old"), "refused")
      assert.strictEqual(yield* verdict(server, "Bearer own"), "refused")
      assert.strictEqual(yield* verdict(server, "Bearer new"), "accepted")
    })
  )

  it.effect("ignores a line that is still being written", () =>
    Effect.gen(function* () {
      const tokensFile = yield* freshFile
      const server = yield* LoopbackServer.make({ era: "both", tokensFile })
      yield* append(tokensFile, `t1 ${soon()}`)
      assert.strictEqual(yield* verdict(server, "Bearer t1"), "refused")
      yield* append(tokensFile, "\n")
      assert.strictEqual(yield* verdict(server, "Bearer t1"), "accepted")
    })
  )

  it.effect("refuses no credential, another scheme and two tokens", () =>
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
