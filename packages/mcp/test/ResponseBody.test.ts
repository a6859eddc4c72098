/** How much of an answer is read. */
import { assert, describe, it } from "vitest"
import { ResponseBody } from "../src/http/ResponseBody.ts"

const LIMIT = 100

/** Whether a stream of these pieces has an event above the limit. */
const exceeds = (pieces: ReadonlyArray<string>): boolean => {
  let exceeded = false
  const body = new ResponseBody(
    { resume: () => {}, abort: () => {} },
    { limit: LIMIT, events: true, onExceeded: () => void (exceeded = true) }
  )
  for (const piece of pieces) body.push(Buffer.from(piece))
  return exceeded
}

const times = (count: number, ...pieces: ReadonlyArray<string>) => Array.from({ length: count }, () => pieces).flat()

describe("the limit of an event", () => {
  it("is of each event alone, wherever the empty line between two is cut", () => {
    for (const lineEnd of ["\n", "\r\n", "\r"]) {
      const event = `data: 0123${lineEnd}${lineEnd}`
      for (let cut = 0; cut <= event.length; cut += 1) {
        assert.isFalse(exceeds(times(20, event.slice(0, cut), event.slice(cut))), JSON.stringify([event, cut]))
      }
      assert.isFalse(exceeds(times(20, ...Array.from(event))), JSON.stringify(event))
    }
  })

  it("counts an event that comes in pieces as a whole", () => {
    assert.isFalse(exceeds(["data: 0\n\n", ...times(9, "data: 0123\n")]))
    assert.isTrue(exceeds(["data: 0\n\n", ...times(10, "data: 0123\n")]))
  })
})
