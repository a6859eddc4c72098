/** Which program a command names. */
import { chmodSync } from "node:fs"
import { join } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { resolve, type ResolveOptions } from "@letterhead/core/helper/Executable"
import * as Effect from "effect/Effect"
import { temporaryDirectory, write } from "../trust/Workspace.ts"

const resolved = (command: string, options: ResolveOptions) =>
  resolve(command, options).pipe(Effect.provide(NodeServices.layer))

const folder = Effect.map(temporaryDirectory, (directory) => {
  write(directory, {
    "one/tool": "#!/bin/sh",
    "two/tool": "#!/bin/sh",
    "plain/tool": "not executable",
    tool: "#!/bin/sh"
  })
  return directory
})

describe("resolve", () => {
  it.live("F35: a name is the first executable in the absolute entries of PATH", () =>
    Effect.gen(function* () {
      const directory = yield* folder
      const at = (...names: ReadonlyArray<string>) => names.map((name) => join(directory, name)).join(":")
      const find = (PATH: string) => resolved("tool", { environment: { PATH }, directory })
      assert.strictEqual(yield* find(at("one", "two")), join(directory, "one/tool"))
      assert.strictEqual(yield* find(at("missing", "plain", "two")), join(directory, "two/tool"))
      assert.strictEqual(yield* find(`.::one:${at("two")}`), join(directory, "two/tool"))
      for (const PATH of ["", ".", ":", "one", "./one", "one:two"]) {
        assert.strictEqual((yield* Effect.flip(find(PATH)))._tag, "NotFound", PATH)
      }
      assert.strictEqual((yield* Effect.flip(find(at("plain"))))._tag, "NotExecutable")
      assert.strictEqual((yield* Effect.flip(resolved("tool", { environment: {}, directory })))._tag, "NotFound")
    })
  )

  it.live("a path starts from the folder of the configuration", () =>
    Effect.gen(function* () {
      const directory = yield* folder
      const options = { environment: {}, directory }
      assert.strictEqual(yield* resolved("./tool", options), join(directory, "tool"))
      assert.strictEqual(yield* resolved("one/../two/tool", options), join(directory, "two/tool"))
      assert.strictEqual(yield* resolved(join(directory, "tool"), options), join(directory, "tool"))
    })
  )

  it.live("says what is wrong with a path", () =>
    Effect.gen(function* () {
      const directory = yield* folder
      const fails = (command: string, from: string | undefined = directory) =>
        Effect.map(Effect.flip(resolved(command, { environment: {}, directory: from })), (error) => error._tag)
      assert.strictEqual(yield* fails("./missing"), "NotFound")
      assert.strictEqual(yield* fails("./plain/tool"), "NotExecutable")
      assert.strictEqual(yield* fails("./one"), "NotExecutable")
      assert.strictEqual(yield* fails("./tool/below"), "NotFound")
      assert.strictEqual(yield* fails(""), "NotFound")
      assert.strictEqual(yield* fails("a\0b"), "NotFound")
      const nowhere = resolved("./tool", { environment: {}, directory: undefined })
      assert.strictEqual((yield* Effect.flip(nowhere))._tag, "TrustRefused")
      chmodSync(join(directory, "tool"), 0o644)
      assert.strictEqual(yield* fails("./tool"), "NotExecutable")
    })
  )
})
