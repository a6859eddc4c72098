/** What a connection offers beyond tools. */
import { assert, describe, it } from "@effect/vitest"
import type { RecordedRequest } from "@letterhead/testing/RecordedRequest"
import * as Effect from "effect/Effect"
import * as Harness from "./support/Harness.ts"

const sessionOf = (requests: ReadonlyArray<RecordedRequest>, method: string) =>
  requests.filter(({ rpcMethod }) => rpcMethod === method).map(({ headers }) => headers.get("x-session"))

describe("McpConnection", () => {
  for (const { era, responses } of Harness.cases) {
    it.live(`lists templates and completes arguments, with the headers of the call (${era}, ${responses})`, () =>
      Effect.gen(function* () {
        const harness = yield* Harness.make({ era, responses })
        const connection = yield* harness.connect
        const templates = yield* connection.listResourceTemplates.pipe(Harness.asSession("one"))
        assert.deepStrictEqual(
          templates.map(({ uriTemplate }) => uriTemplate),
          ["loopback://named/{name}"]
        )
        const ref = { type: "ref/resource" as const, uri: "loopback://named/{name}" }
        const completed = yield* connection
          .complete({ ref, argument: { name: "name", value: "ad" } })
          .pipe(Harness.asSession("two"))
        assert.deepStrictEqual(completed.values, ["ad!"])
        const { contents } = yield* connection.readResource("loopback://named/ada").pipe(Harness.asSession("three"))
        assert.deepInclude(contents[0], { text: "named ada" })
        assert.isUndefined(connection.instructions)
        const requests = yield* harness.server.requests
        assert.deepStrictEqual(sessionOf(requests, "resources/templates/list"), ["one"])
        assert.deepStrictEqual(sessionOf(requests, "completion/complete"), ["two"])
        assert.deepStrictEqual(sessionOf(requests, "resources/read"), ["three"])
      })
    )
  }
})
