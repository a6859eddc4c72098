/** Reading a message's head from the ends of its text says the same as parsing it. */
import { assert, describe, it } from "@effect/vitest"
import * as MessageHead from "@letterhead/mcp/message/MessageHead"
import * as Schema from "effect/Schema"

const RUNS = { arbitrary: { runs: 3_000 } }

/** Members as a hostile writer may put them: names twice, escaped, in any order, and values that look like the end. */
const member = Schema.Literals([
  '"method":"tools/call"',
  '"method":"notifications/cancelled"',
  '"method": "spaced"',
  '"method":"quo\\"ted"',
  '"method":5',
  '"m\\u0065thod":"escaped"',
  '"\\u006dethod":"escaped"',
  '"jsonrpc":"2.0"',
  '"id":1',
  '"id":999999999999999',
  '"id":12345678901234567890',
  '"id":-1',
  '"id":1.5',
  '"id":"text"',
  '"id":null',
  '"\\u0069d":7',
  '"x\\"id":8',
  '"params":{}',
  '"params":{"requestId":3}',
  '"params":{"id":9,"method":"nested"}',
  '"params":{"a":",\\"jsonrpc\\":\\"2.0\\",\\"id\\":4}"}',
  '"params":{"a":1,"jsonrpc":"2.0","id":5}',
  '"params":["method",{"jsonrpc":"2.0","id":6}]',
  '"result":{}',
  '"note":"\\",\\"jsonrpc\\":\\"2.0\\",\\"id\\":2"'
])

const json = Schema.Array(
  Schema.Literals(["a", '"', "\\", "é", "\u0001", ",", "{", "}", '"id":1', '"method":"x"', "\n"])
)

describe("the head of a message", () => {
  it.prop(
    "is what the parser says it is, whatever members stand where",
    { members: Schema.Array(member), space: Schema.Literals(["", " ", "\n"]) },
    ({ members, space }) => {
      const text = `{${members.join(`,${space}`)}}${space}`
      assert.deepStrictEqual(MessageHead.read(text), MessageHead.parse(text), text)
    },
    RUNS
  )

  it.prop(
    "is what the parser says it is in the order of the SDKs, whatever the parameters hold",
    { id: Schema.Int, name: json, value: json, last: member },
    ({ id, last, name, value }) => {
      const params = { name: name.join(""), arguments: { [name.join("")]: value.join(""), id, method: "x" } }
      for (const text of [
        JSON.stringify({ method: "tools/call", params, jsonrpc: "2.0", id }),
        JSON.stringify({ jsonrpc: "2.0", id, method: "tools/call", params }),
        JSON.stringify({ method: name.join(""), params, jsonrpc: "2.0", id }),
        `{"method":"tools/call","params":${JSON.stringify(params)},${last},"jsonrpc":"2.0","id":${id}}`,
        `{"method":"tools/call","params":${JSON.stringify(params)},"jsonrpc":"2.0","id":${id},${last}}`
      ]) {
        assert.deepStrictEqual(MessageHead.read(text), MessageHead.parse(text), text)
      }
    },
    RUNS
  )

  it("is read without parsing in the form in which both SDKs write a request", () => {
    const text = JSON.stringify({ method: "tools/call", params: { name: "echo" }, jsonrpc: "2.0", id: 5 })
    assert.deepStrictEqual(MessageHead.scan(text), { method: "tools/call", id: 5 })
    const long = JSON.stringify({ method: "tools/list", jsonrpc: "2.0", id: 999_999_999_999_999 })
    assert.deepStrictEqual(MessageHead.scan(long), { method: "tools/list", id: 999_999_999_999_999 })
  })

  it("of a reply has no method, of a batch and of what is no JSON nothing", () => {
    assert.deepStrictEqual(MessageHead.read('{"jsonrpc":"2.0","id":1,"result":{}}'), {})
    assert.deepStrictEqual(MessageHead.read('[{"method":"tools/call","jsonrpc":"2.0","id":1}]'), {})
    assert.deepStrictEqual(MessageHead.read("grant_type=x"), {})
    assert.deepStrictEqual(MessageHead.read(""), {})
  })

  it("says that what only reads may be sent twice, and that a tool may not", () => {
    for (const method of ["initialize", "server/discover", "tools/list", "resources/read", "prompts/get"]) {
      assert.isTrue(MessageHead.isIdempotent(method), method)
    }
    for (const method of [
      "tools/call",
      "notifications/cancelled",
      "subscriptions/listen",
      "logging/setLevel",
      "constructor"
    ]) {
      assert.isFalse(MessageHead.isIdempotent(method), method)
    }
  })
})
