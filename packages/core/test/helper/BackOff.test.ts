import { expect, it } from "@effect/vitest"
import { delay, FIRST, MAXIMUM } from "@letterhead/core/helper/BackOff"
import { seeded } from "./randomJson.ts"

it("the wait is at least a second, at most thirty, and never shorter after one more failure, 5,000 times", () => {
  const random = seeded(17)
  for (let run = 0; run < 5_000; run++) {
    const failures = 1 + Math.floor(random() * 2_000)
    const wait = delay(failures, random())
    expect(wait).toBeGreaterThanOrEqual(FIRST)
    expect(wait).toBeLessThanOrEqual(MAXIMUM)
    const chance = random()
    expect(delay(failures + 1, chance)).toBeGreaterThanOrEqual(delay(failures, chance))
  }
})

it("the wait doubles until it nears thirty seconds", () =>
  expect([1, 2, 3, 4, 5, 6, 7].map((failures) => delay(failures, 0))).toEqual([
    1_000, 2_000, 4_000, 8_000, 16_000, 25_000, 25_000
  ]))
