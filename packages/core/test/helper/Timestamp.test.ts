import { describe, expect, it } from "@effect/vitest"
import { parse } from "@letterhead/core/helper/Timestamp"
import { seeded } from "./randomJson.ts"

const two = (number: number): string => String(number).padStart(2, "0")

describe("Timestamp", () => {
  it("reads back what Date writes, 5,000 times, in any offset", () => {
    const random = seeded(7)
    for (let run = 0; run < 5_000; run++) {
      const time = Math.floor((random() * 2 - 0.5) * 4e12)
      const text = new Date(time).toISOString()
      expect(parse(text)).toBe(time)
      const minutes = Math.floor(random() * 24 * 60)
      const sign = random() < 0.5 ? 1 : -1
      const local = new Date(time + sign * minutes * 60_000).toISOString().slice(0, -1)
      expect(parse(`${local}${sign > 0 ? "+" : "-"}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`)).toBe(time)
    }
  })

  it.each([
    ["2030-01-31t12:00:00z", Date.UTC(2030, 0, 31, 12)],
    ["2030-01-31T12:00:00.123456Z", Date.UTC(2030, 0, 31, 12, 0, 0, 123)],
    ["2016-12-31T23:59:60Z", Date.UTC(2017, 0, 1)],
    ["2024-02-29T00:00:00Z", Date.UTC(2024, 1, 29)]
  ])("reads %s", (text, expected) => expect(parse(text)).toBe(expected))

  it.each([
    "",
    "tomorrow",
    "1893456000",
    "2030-01-31",
    "2030-01-31T12:00:00",
    "2030-01-31 12:00:00Z",
    "2030-02-30T12:00:00Z",
    "2023-02-29T12:00:00Z",
    "2030-13-01T12:00:00Z",
    "2030-00-10T12:00:00Z",
    "2030-01-31T24:00:00Z",
    "2030-01-31T12:60:00Z",
    "2030-01-31T12:00:61Z",
    "2030-01-31T12:00:00+25:00",
    "2030-01-31T12:00:00+01:60",
    "+002030-01-31T12:00:00Z",
    `2030-01-31T12:00:00.${"0".repeat(100_000)}Z`
  ])("refuses %.40j", (text) => expect(parse(text)).toBeUndefined())
})
