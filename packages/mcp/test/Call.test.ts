/** What a call remembers. */
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import { Call } from "@letterhead/mcp/call/Call"

const sent = (value: string) => ({ reveal: () => [["X-Key", value]] as const })
const values = (call: Call) => call.sent.flatMap(({ reveal }) => reveal().map(([, value]) => value))
const facts = { server: "linear", method: "tools/call", tool: "echo", nextCallId: () => "1" }

describe("a call", () => {
  it("remembers each value that it was sent with once", () => {
    const call = new Call({ principal: "local" }, Context.empty())
    for (const value of ["one", "one", "two"]) call.asking(facts, Context.empty()).remember(sent(value))
    assert.deepStrictEqual(values(call), ["one", "two"])
  })

  it("forgets its values when its caller has the answer", () => {
    const call = new Call({ principal: "local" }, Context.empty())
    call.asking(facts, Context.empty()).remember(sent("one"))
    call.forget()
    assert.deepStrictEqual([values(call), call.latest], [[], undefined])
  })

  it("forgets nothing while a request of it is under way", () => {
    const call = new Call({ principal: "local" }, Context.empty())
    const request = { abort: () => {}, fail: () => {} }
    call.asking(facts, Context.empty()).enter(request)
    call.remember(sent("one"))
    call.forget()
    assert.deepStrictEqual(values(call), ["one"])
    call.leave(request)
    call.forget()
    assert.deepStrictEqual(values(call), [])
  })
})
