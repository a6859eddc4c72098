import { CurrentCall } from "@letterhead/core/call/CallContext"
import { ClientFeatures, FeatureRefused } from "@letterhead/mcp/ClientFeatures"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

export const features = Layer.succeed(ClientFeatures, {
  elicitation: ({ message }) =>
    Effect.gen(function* () {
      const { sessionId } = yield* CurrentCall
      if (sessionId === undefined) return yield* new FeatureRefused({ description: "there is nobody to ask" })
      return { action: "accept" as const, content: { answer: `${sessionId} was asked: ${message}` } }
    }),
  roots: Effect.succeed([{ uri: "file:///work" }])
})
