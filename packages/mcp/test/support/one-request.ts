/** A program of its own that sends one request to the URL it is given, and says what came of it. */
import * as Effect from "effect/Effect"
import * as Requests from "./Requests.ts"

const program = Effect.gen(function* () {
  const { send } = yield* Requests.make({ url: process.argv[2] ?? "" })
  const answered = yield* Effect.result(Effect.flatMap(send("tools/call"), Requests.text))
  process.stdout.write(answered._tag === "Success" ? answered.success : answered.failure.message)
})

await Effect.runPromise(Effect.scoped(program))
