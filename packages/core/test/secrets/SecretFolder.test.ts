/** A folder of secrets that somebody else changed: what is tightened, refused or moved aside; faults F68 and F69. */
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  truncateSync,
  writeFileSync
} from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { HeaderError, SecretStoreFailed } from "@letterhead/core/headers/HeaderError"
import { QUARANTINED } from "@letterhead/core/secrets/SecretFolder"
import { CANARY, key } from "@letterhead/testing/laws/SecretStoreLaws"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { execute } from "../trust/Workspace.ts"
import { own, secret, inStore, valueIn, storeWithSecret, logged } from "./SecretFiles.ts"

const failureOf = (error: unknown): SecretStoreFailed => {
  if (!(error instanceof HeaderError) || !(error.reason instanceof SecretStoreFailed)) {
    throw new Error(`not a failure of the store: ${String(error)}`)
  }
  return error.reason
}

const replace = (file: string, put: (file: string) => void): void => {
  renameSync(file, `${file}.was`)
  put(file)
}

const valid = (file: string): string => readFileSync(file, "utf8")

describe("layerFile", () => {
  it.live("F69: a folder and a file that others can read are tightened", () =>
    Effect.gen(function* () {
      const { directory, file } = yield* storeWithSecret
      chmodSync(directory, 0o755)
      chmodSync(file, 0o644)
      assert.strictEqual(yield* valueIn(directory), `${CANARY}-1`)
      assert.strictEqual(lstatSync(directory).mode & 0o777, 0o700)
      assert.strictEqual(lstatSync(file).mode & 0o777, 0o600)
    })
  )

  const states: ReadonlyArray<readonly [state: string, put: (file: string, directory: string) => void, says: RegExp]> =
    [
      ["a file that others can write", (file) => chmodSync(file, 0o622), /written by other users/],
      ["a folder that others can write", (_, directory) => chmodSync(directory, 0o777), /written by other users/],
      ["a symbolic link", (file) => replace(file, (at) => symlinkSync(`${at}.was`, at)), /symbolic link/],
      ["a FIFO, which never blocks", (file) => replace(file, (at) => execute("mkfifo", [at])), /not a regular file/],
      ["a folder in the file's place", (file) => replace(file, (at) => mkdirSync(at)), /not a regular file/],
      [
        "a symbolic link in the folder's place",
        (_, directory) => {
          renameSync(directory, `${directory}.was`)
          symlinkSync(`${directory}.was`, directory)
        },
        /symbolic link/
      ]
    ]
  for (const [state, put, says] of states) {
    it.live(`F69: the store is refused as ${state}`, () =>
      Effect.gen(function* () {
        const { directory, file } = yield* storeWithSecret
        put(file, directory)
        const answers = yield* inStore(directory, (store) =>
          Effect.all([
            Effect.flip(store.get(own)),
            Effect.flip(store.set(own, Redacted.make(`${CANARY}-2`))),
            Effect.flip(store.list)
          ])
        )
        for (const error of answers) {
          assert.match(failureOf(error).message, says)
          assert.notInclude(error.message, CANARY)
        }
      })
    )
  }

  it.live.skipIf(process.getuid?.() !== 0)("F69: the store is refused as a file of another user (needs root)", () =>
    Effect.gen(function* () {
      const { directory, file } = yield* storeWithSecret
      chownSync(file, 65_534, 65_534)
      const error = yield* inStore(directory, (store) => Effect.flip(store.get(own)))
      assert.match(failureOf(error).message, /another user/)
    })
  )

  const contents: ReadonlyArray<readonly [name: string, spoil: (file: string) => void]> = [
    ["empty", (file) => writeFileSync(file, "")],
    ["not JSON", (file) => writeFileSync(file, `{ ${CANARY}`)],
    ["torn", (file) => writeFileSync(file, valid(file).slice(0, -20))],
    ["of another version", (file) => writeFileSync(file, valid(file).replace('"version":1', '"version":2'))],
    [
      "of wrong types",
      (file) => writeFileSync(file, valid(file).replace(/"generation":\d+/, `"generation":"${CANARY}"`))
    ],
    ["of another server", (file) => writeFileSync(file, valid(file).replace("linear", "other"))],
    ["100 MB large", (file) => truncateSync(file, 100_000_000)]
  ]
  for (const [name, spoil] of contents) {
    it.live(`F68: a file that is ${name} is moved aside, counts as not set, and is named without its content`, () =>
      Effect.gen(function* () {
        const { directory, file } = yield* storeWithSecret
        spoil(file)
        const size = lstatSync(file).size
        const read = yield* logged(valueIn(directory))
        assert.strictEqual(read.answer, undefined)
        assert.strictEqual(read.lines.length, 1)
        assert.include(read.lines[0], `Warn the secret file ${file} `)
        assert.include(read.lines[0], `moved to ${file}${QUARANTINED}`)
        assert.isFalse(existsSync(file))
        assert.strictEqual(lstatSync(`${file}${QUARANTINED}`).size, size)
        const again = yield* logged(valueIn(directory))
        assert.deepStrictEqual(again.lines, [])
        yield* inStore(directory, (store) => store.set(own, Redacted.make("new")))
        assert.strictEqual(yield* valueIn(directory), "new")
      })
    )
    it.live(`F68: setting and listing meet a file that is ${name} and go on`, () =>
      Effect.gen(function* () {
        const { directory, file } = yield* storeWithSecret
        yield* inStore(directory, (store) => store.set(key({ server: "kept" }), secret))
        spoil(file)
        const listed = yield* logged(inStore(directory, (store) => store.list))
        assert.deepStrictEqual(listed.answer, [{ ...key({ server: "kept" }), keptIn: directory }])
        writeFileSync(file, "spoilt again", { mode: 0o600 })
        const set = yield* logged(inStore(directory, (store) => store.set(own, Redacted.make("new"))))
        assert.strictEqual(set.lines.length, 1)
        assert.strictEqual(yield* valueIn(directory), "new")
      })
    )
  }
})
