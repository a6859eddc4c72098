/** Requests that end together. */
import { assert, describe, it } from "@effect/vitest"
import { RequestGroup } from "@letterhead/mcp/http/RequestGroup"

describe("a group of requests", () => {
  it("ends those that are under way with the reason, and not those that have left", () => {
    const group = new RequestGroup()
    const ended: Array<unknown> = []
    const left = group.enter(() => ended.push("left"))
    group.enter((reason) => ended.push(reason))
    group.leave(left)
    group.throwIfClosed()
    group.close("over")
    assert.deepStrictEqual(ended, ["over"])
    assert.isTrue(group.isClosed)
  })

  it("that is closed lets nothing more be sent, for the reason it was closed for first", () => {
    const group = new RequestGroup()
    const ended: Array<unknown> = []
    group.close(new Error("first"))
    group.close(new Error("second"))
    assert.throws(() => group.throwIfClosed(), "first")
    group.enter((reason) => ended.push(reason))
    assert.deepStrictEqual(ended.map(String), ["Error: first"])
  })
})
