/** What may become a field of a patch, and what an error about it shows. */
import { inspect } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import { HeaderForbidden, HeaderInvalid, HeaderTooLarge } from "@letterhead/core/headers/HeaderError"
import { isProtocolOwned, nameDefect, valueDefect } from "@letterhead/core/headers/HeaderField"
import { setField } from "@letterhead/core/headers/HeaderPatch"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"

const RUNS = { arbitrary: { runs: 2_000 } } as const
const PIECES = [
  "a",
  "X-Api-Key",
  "Host",
  "mcp-",
  "Sec-",
  "-",
  " ",
  "\t",
  ":",
  "\r\n",
  "\n",
  "\0",
  "\u001b[2J",
  "\u007f",
  "\u009b",
  "\u202e",
  "é",
  "😀",
  "\ud800",
  "\u2028",
  "Bearer ",
  "x".repeat(100),
  "y".repeat(5_000)
] as const
const text = Schema.Array(Schema.Literals(PIECES))

const reason = (name: string, value: string) => Result.getOrThrow(Result.flip(setField(name, value, "here")))

describe("setField", () => {
  it.prop(
    "a field is made exactly where its name and its value break no rule, and is what was given",
    { name: text, value: text },
    ({ name: namePieces, value: valuePieces }) => {
      const [name, value] = [namePieces.join(""), valuePieces.join("")]
      const result = setField(name, value, "here")
      const valid = nameDefect(name) === undefined && !isProtocolOwned(name) && valueDefect(value) === undefined
      assert.strictEqual(Result.isSuccess(result), valid)
      if (Result.isSuccess(result)) {
        assert.strictEqual(result.success.name, name)
        assert.strictEqual(Redacted.value(result.success.value), value)
        assert.strictEqual(result.success.declared, "here")
      }
    },
    RUNS
  )

  it.prop(
    "F50: neither a field nor an error shows the value, in any form",
    { name: text, before: text, after: text },
    ({ name, before, after }) => {
      const result = setField(name.join(""), `${before.join("")}canary${after.join("")}`, "here")
      for (const shown of [JSON.stringify(result), inspect(result, { depth: 10 }), String(result)]) {
        assert.notInclude(shown, "canary")
      }
      if (Result.isFailure(result)) assert.notInclude(result.failure.message, "canary")
    },
    RUNS
  )

  it.prop(
    "an error about a name can be shown on a terminal, and is short",
    { name: text },
    ({ name }) => {
      const result = setField(name.join(""), "value", "here")
      if (Result.isSuccess(result)) return
      assert.match(result.failure.message, /^[\x20-\x7e…]*$/)
      assert.isBelow(result.failure.message.length, 3_000)
    },
    RUNS
  )

  it("each kind of fault has its own reason", () => {
    assert.instanceOf(reason("a b", "v"), HeaderInvalid)
    assert.instanceOf(reason("", "v"), HeaderInvalid)
    assert.instanceOf(reason("hOsT", "v"), HeaderForbidden)
    assert.instanceOf(reason("a".repeat(257), "v"), HeaderTooLarge)
    assert.instanceOf(reason("A", "v".repeat(8_193)), HeaderTooLarge)
    assert.instanceOf(reason("A", "a\r\nb"), HeaderInvalid)
    assert.instanceOf(reason("A", ""), HeaderInvalid)
  })
})
