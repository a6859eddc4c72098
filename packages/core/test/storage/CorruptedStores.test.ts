/** What the stores make of files that somebody or something changed: a thousand corruptions of each. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import * as SecretStore from "@letterhead/core/secrets/SecretStore"
import * as TrustStore from "@letterhead/core/trust/TrustStore"
import type { TrustSubject } from "@letterhead/core/trust/TrustSubject"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { corrupted, seeded } from "../helper/randomJson.ts"

const RUNS = 1_000
const CANARY = "canary3d81f0"

const subject: TrustSubject = {
  server: "example",
  scope: "project",
  configuration: "/project/letterhead.json",
  lines: [["helper runs", "/bin/sh ./headers.sh"]],
  files: [{ path: "/project/headers.sh", sha256: "0".repeat(64) }],
  digest: `sha256:${"1".repeat(64)}`
}

const key = { principal: "local", origin: "https://mcp.example.com", server: "example", field: "API_KEY" }

/** Warnings name files; what is in them is looked for. */
const said: Array<string> = []
const quietly = Logger.layer([Logger.make<unknown, void>(({ message }) => void said.push(String(message)))])

describe("stores whose file was changed at random", () => {
  it.live(`F39: of ${RUNS} corruptions of the trust store none makes an approval, and none is overwritten`, () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const directory = yield* fs.makeTempDirectoryScoped()
      const file = `${directory}/${TrustStore.FILE_NAME}`
      yield* Effect.gen(function* () {
        const store = yield* TrustStore.TrustStore
        yield* store.approve(subject)
        const written = yield* fs.readFile(file)
        const random = seeded(39)
        const outcomes = new Set<string>()
        for (let run = 0; run < RUNS; run++) {
          const bytes = corrupted(random, written)
          yield* fs.writeFile(file, bytes)
          const exit = yield* Effect.exit(store.check({ ...subject, digest: `sha256:${"2".repeat(64)}` }))
          outcomes.add(Exit.isSuccess(exit) ? exit.value._tag : "failed")
          if (Exit.isSuccess(exit)) {
            assert.notStrictEqual(exit.value._tag, "Approved")
            continue
          }
          const error = yield* Effect.flip(store.approve(subject))
          assert.strictEqual(error.reason._tag, "TrustStoreFailed")
          assert.strictEqual(Buffer.compare(yield* fs.readFile(file), bytes), 0)
        }
        assert.includeMembers([...outcomes], ["failed", "Changed"])
      }).pipe(Effect.provide(TrustStore.layerFile({ directory })))
    }).pipe(Effect.provide(Layer.merge(NodeServices.layer, quietly)))
  )

  it.live(`F68: of ${RUNS} corruptions of a secret each is the secret, another text, or none; nothing is thrown`, () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const directory = yield* fs.makeTempDirectoryScoped()
      yield* Effect.gen(function* () {
        const store = yield* SecretStore.SecretStore
        yield* store.set(key, Redacted.make(CANARY))
        const name = (yield* fs.readDirectory(directory)).find((one) => one.endsWith(".json")) ?? ""
        const file = `${directory}/${name}`
        const written = yield* fs.readFile(file)
        const random = seeded(68)
        const outcomes = new Set<string>()
        for (let run = 0; run < RUNS; run++) {
          yield* fs.writeFile(file, corrupted(random, written), { mode: 0o600 })
          const found = yield* store.get(key)
          outcomes.add(found._tag)
          if (Option.isNone(found)) continue
          assert.isString(Redacted.value(found.value))
        }
        assert.deepStrictEqual([...outcomes].toSorted(), ["None", "Some"])
        assert.isAbove(said.length, 0)
        assert.notInclude(said.join("\n"), CANARY)
        // And it is as good as new once it is set again.
        yield* store.set(key, Redacted.make("again"))
        assert.strictEqual(Redacted.value(Option.getOrThrow(yield* store.get(key))), "again")
      }).pipe(Effect.provide(SecretStore.layerFile({ directory })))
    }).pipe(Effect.provide(Layer.merge(NodeServices.layer, quietly)))
  )
})
