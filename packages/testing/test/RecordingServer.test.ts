import { assert, describe, it } from "@effect/vitest"
import * as RecordingServer from "@letterhead/testing/RecordingServer"
import * as Effect from "effect/Effect"

describe("RecordingServer", () => {
  it.live("answers everything alike and records what it got, in order", () =>
    Effect.gen(function* () {
      const server = yield* RecordingServer.make({ status: 418, headers: { "x-kind": "pot" }, body: "short" })
      const response = yield* Effect.promise(() =>
        fetch(new URL("/token?a=1", server.url), { method: "POST", body: "grant=1", headers: { "X-Sent": "yes" } })
      )
      assert.strictEqual(response.status, 418)
      assert.strictEqual(response.headers.get("x-kind"), "pot")
      assert.strictEqual(yield* Effect.promise(() => response.text()), "short")
      yield* Effect.promise(() => fetch(server.url).then((second) => second.text()))

      const requests = yield* server.requests
      assert.deepStrictEqual(
        requests.map(({ httpMethod, path, body, status }) => ({ httpMethod, path, body, status })),
        [
          { httpMethod: "POST", path: "/token?a=1", body: "grant=1", status: 418 },
          { httpMethod: "GET", path: "/", body: "", status: 418 }
        ]
      )
      assert.strictEqual(requests[0]?.headers.get("x-sent"), "yes")
    })
  )
})
