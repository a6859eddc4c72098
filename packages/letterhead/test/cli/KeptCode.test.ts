import { afterAll, assert, beforeEach, describe, it } from "@effect/vitest"
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import * as KeptCode from "../../src/cli/KeptCode.ts"

const folder = mkdtempSync(join(tmpdir(), "letterhead-kept-"))
const file = join(folder, "compile/v1/headers")
const code = new Map([
  ["./command.cjs", Buffer.from("code\nof the command")],
  ["./empty.cjs", Buffer.alloc(0)],
  ["./helper.cjs", Buffer.from([0, 10, 255])]
])

beforeEach(() => rmSync(dirname(file), { recursive: true, force: true }))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const plain = (kept: KeptCode.KeptCode) => [...kept].map(([name, bytes]) => [name, Buffer.from(bytes).toString("hex")])

describe("code that is kept", () => {
  it("is read as it was written, in a file of the person's own that replaces another as a whole", () => {
    KeptCode.write(file, new Map([["./old.cjs", Buffer.from("old")]]))
    KeptCode.write(file, code)
    assert.deepStrictEqual(plain(KeptCode.read(file)), plain(code))
    assert.deepStrictEqual(readdirSync(dirname(file)), ["headers"])
    if (process.platform !== "win32") {
      assert.strictEqual(statSync(file).mode & 0o777, 0o600)
      assert.strictEqual(statSync(dirname(file)).mode & 0o777, 0o700)
    }
  })

  it("is nothing where there is no file, or not all of one", () => {
    assert.strictEqual(KeptCode.read(file).size, 0)
    KeptCode.write(file, code)
    const whole = readFileSync(file)
    for (const length of [0, 1, 20, whole.length - 1]) {
      writeFileSync(file, whole.subarray(0, length))
      assert.strictEqual(KeptCode.read(file).size, 0, `of ${length} bytes`)
    }
    for (const text of ["\n", "{}\n", "[[1,2]]\nab", '[["./a.cjs",-1]]\n', '[["./a.cjs",9]]\nshort']) {
      writeFileSync(file, text)
      assert.strictEqual(KeptCode.read(file).size, 0, text)
    }
  })

  it.skipIf(process.platform === "win32")("is not read from a file that others can write", () => {
    KeptCode.write(file, code)
    chmodSync(file, 0o620)
    assert.strictEqual(KeptCode.read(file).size, 0)
    chmodSync(file, 0o602)
    assert.strictEqual(KeptCode.read(file).size, 0)
  })

  it("is given up where nothing can be written", () => {
    mkdirSync(dirname(dirname(file)), { recursive: true })
    writeFileSync(dirname(file), "a file in the folder's place")
    KeptCode.write(file, code)
    assert.strictEqual(KeptCode.read(file).size, 0)
  })

  // Where it goes wrong, it does so by never ending.
  it.skipIf(process.platform !== "linux")("is given up where no folder can be made", () => {
    const nowhere = "/proc/letterhead/compile/v1/headers"
    KeptCode.write(nowhere, code)
    assert.strictEqual(KeptCode.read(nowhere).size, 0)
  })
})
