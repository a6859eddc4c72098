import { assert, describe, it } from "@effect/vitest"
import { Call } from "@letterhead/mcp/call/Call"
import { CallCorrelation } from "@letterhead/mcp/call/CallCorrelation"
import { ConnectionClosed } from "@letterhead/mcp/McpError"
import * as Context from "effect/Context"

const callOf = (sessionId: string) => new Call({ principal: "ada", sessionId }, Context.empty())

const asked = (call: Call) =>
  call.asking({ server: "example", method: "ping", tool: undefined, nextCallId: () => "call-1" }, Context.empty())

const CLOSED = new ConnectionClosed({ description: "it was closed" })

describe("CallCorrelation", () => {
  it("finds the call of a request, whether the id comes back as a number or as text", () => {
    const correlation = new CallCorrelation()
    const call = callOf("one")
    correlation.open(7, call)
    assert.strictEqual(correlation.request(7), call)
    assert.strictEqual(correlation.request("7"), call)
    assert.isTrue(correlation.close("7"))
    assert.isFalse(correlation.close(7))
    assert.strictEqual(correlation.size, 0)
  })

  it("knows no call for an id that was never entered", () => {
    const correlation = new CallCorrelation()
    assert.isUndefined(correlation.request(1))
    assert.isUndefined(correlation.cancellation(1))
    assert.deepStrictEqual(correlation.event("1"), [])
  })

  it("keeps one event id per request, the newest, and forgets it with the request", () => {
    const correlation = new CallCorrelation()
    const call = callOf("one")
    correlation.open(1, call)
    for (let event = 0; event < 1_000; event += 1) correlation.setEvent(1, `event-${event}`)
    assert.deepStrictEqual(correlation.event("event-998"), [])
    assert.deepStrictEqual(correlation.event("event-999"), [call])
    assert.isAtMost(correlation.size, 3)
    correlation.close(1)
    assert.deepStrictEqual(correlation.event("event-999"), [])
    assert.strictEqual(correlation.size, 0)
  })

  it("says so when two requests have the same event id, and not any more when one is gone", () => {
    const correlation = new CallCorrelation()
    const [one, two] = [callOf("one"), callOf("two")]
    correlation.open(1, one)
    correlation.open(2, two)
    correlation.setEvent(1, "same")
    correlation.setEvent(2, "same")
    assert.deepStrictEqual(correlation.event("same"), [one, two])
    correlation.close(1)
    assert.deepStrictEqual(correlation.event("same"), [two])
  })

  it("keeps the call of a cancellation until it is sent, also past the end of the call", () => {
    const correlation = new CallCorrelation()
    const call = callOf("one")
    correlation.open(1, call)
    correlation.cancel(1)
    call.abort()
    assert.isUndefined(correlation.request(1))
    assert.strictEqual(correlation.cancellation(1), call)
    correlation.cancelled(1)
    assert.strictEqual(correlation.size, 0)
  })

  it("ends every request of a call that fails and none of another", () => {
    const correlation = new CallCorrelation()
    const [one, two] = [callOf("one"), callOf("two")]
    const abandoned: Array<number> = []
    const open = (id: number, call: Call) =>
      correlation.open(id, call, { abort: () => abandoned.push(id), fail: () => correlation.drop(id) })
    open(1, one)
    open(2, two)
    open(3, asked(one))
    correlation.setEvent(3, "event")
    one.fail(CLOSED)
    assert.isUndefined(correlation.request(1))
    assert.isUndefined(correlation.request(3))
    assert.deepStrictEqual(correlation.event("event"), [])
    assert.strictEqual(correlation.request(2), two)
    assert.deepStrictEqual(abandoned, [1, 3])
    two.fail(CLOSED)
    assert.strictEqual(correlation.size, 0)
  })

  it("lets go of what carries a request that is given up, and not of what carried one that is answered", () => {
    const correlation = new CallCorrelation()
    const call = callOf("one")
    let abandoned = 0
    const request = { abort: () => void abandoned++, fail: () => {} }
    correlation.open(1, call, request)
    correlation.close(1)
    assert.strictEqual(abandoned, 0)
    correlation.open(2, call, request)
    correlation.cancel(2)
    assert.strictEqual(abandoned, 1)
  })

  it("tells a request that the server has from one that it never got or refused", () => {
    const correlation = new CallCorrelation()
    correlation.open(1, callOf("one"))
    assert.isFalse(correlation.isWritten(1))
    correlation.setWritten(1, true)
    assert.isTrue(correlation.isWritten(1))
    correlation.setWritten(1, false)
    assert.isFalse(correlation.isWritten(1))
    correlation.setWritten(2, true)
    assert.isFalse(correlation.isWritten(2))
  })

  it("holds nothing after 10,000 requests that ended in every way there is", () => {
    const correlation = new CallCorrelation()
    for (let id = 0; id < 10_000; id += 1) {
      const call = callOf(`session-${id % 20}`)
      correlation.open(id, call, { abort: () => {}, fail: () => correlation.close(id) })
      if (id % 3 === 0) correlation.setEvent(id, `event-${id % 7}`)
      if (id % 4 === 0) {
        correlation.cancel(id)
        correlation.cancelled(id)
      } else if (id % 4 === 1) correlation.close(id)
      else call.fail(CLOSED)
    }
    assert.strictEqual(correlation.size, 0)
  })
})
