/** What a server may write into `Retry-After`, and how long is waited then; fault F56. */
import { assert, describe, it } from "@effect/vitest"
import { DEFAULTS } from "@letterhead/mcp/http/HttpLimits"
import * as RetryAfter from "@letterhead/mcp/http/RetryAfter"
import * as Schema from "effect/Schema"

const NOW = Date.UTC(1994, 10, 6, 8, 49, 37)
const RUNS = { arbitrary: { runs: 1_000 } }

describe("Retry-After", () => {
  it("F56: counts seconds", () => {
    assert.strictEqual(RetryAfter.parse("0", NOW), 0)
    assert.strictEqual(RetryAfter.parse(" 120 ", NOW), 120_000)
    assert.strictEqual(RetryAfter.parse("315360000", NOW), 10 * 365 * 24 * 3_600_000)
  })

  it("F56: names a date in each form that HTTP has, and a date that is past asks for nothing", () => {
    for (const date of [
      "Sun, 06 Nov 1994 08:50:37 GMT",
      "Sunday, 06-Nov-94 08:50:37 GMT",
      "Sun Nov  6 08:50:37 1994"
    ]) {
      assert.strictEqual(RetryAfter.parse(date, NOW), 60_000, date)
      assert.strictEqual(RetryAfter.parse(date, NOW + 3_600_000), 0, date)
    }
  })

  it("F56: says nothing where it is neither", () => {
    for (const junk of [
      undefined,
      "",
      "-1",
      "1.5",
      "1e3",
      "soon",
      "1994-11-06",
      "Sun, 99 Nov 1994 08:49:37 GMT",
      "9".repeat(40)
    ]) {
      assert.strictEqual(RetryAfter.parse(junk, NOW), undefined, junk)
    }
  })

  it.prop(
    "F56: whatever it holds, the time is a whole number of milliseconds from 0 on, or none",
    {
      text: Schema.String,
      pieces: Schema.Array(Schema.Literals(["Sun", ", ", "06", " ", "Nov", "-", "94", "08:49:37", "GMT", "-1", "1994"]))
    },
    ({ pieces, text }) => {
      for (const value of [text, pieces.join("")]) {
        const parsed = RetryAfter.parse(value, NOW)
        assert.isTrue(parsed === undefined || (Number.isSafeInteger(parsed) && parsed >= 0), value)
      }
    },
    RUNS
  )
})

describe("the delay", () => {
  it("F56: is the one that is asked for, never less, and none where it is longer than the limit", () => {
    assert.strictEqual(RetryAfter.delay(60_000, 0, 1, DEFAULTS), 60_000)
    assert.strictEqual(RetryAfter.delay(60_001, 0, 0, DEFAULTS), undefined)
    assert.strictEqual(RetryAfter.delay(10 * 365 * 24 * 3_600_000, 0, 0, DEFAULTS), undefined)
    // A server that says "now" is given the back-off nevertheless.
    assert.strictEqual(RetryAfter.delay(0, 0, 0, DEFAULTS), DEFAULTS.backOff)
  })

  it("doubles where nothing is said, is left to chance by half, and never exceeds the limit", () => {
    assert.deepStrictEqual(
      [0, 1, 2].map((repetitions) => RetryAfter.delay(undefined, repetitions, 0, DEFAULTS)),
      [500, 1_000, 2_000]
    )
    assert.strictEqual(RetryAfter.delay(undefined, 0, 1, DEFAULTS), 250)
    assert.strictEqual(RetryAfter.delay(undefined, 50, 0, DEFAULTS), DEFAULTS.retryAfter)
  })
})
