/**
 * Letterhead's own connection, by somebody who signs in when a call says that it is necessary.
 *
 * Connecting signs in by itself. A call never does: it fails with `SignInRequired`, where the server asks for a sign-in
 * only then, for further scopes, or at another authorization server; the runtime signs in, and makes the call again.
 */
import { CurrentCall } from "@letterhead/core/call/CallContext"
import { HeaderResolver } from "@letterhead/core/HeaderResolver"
import { McpConfig } from "@letterhead/core/server/McpConfig"
import { McpError } from "@letterhead/mcp/McpError"
import * as Effect from "effect/Effect"
import type { Face, FaceError } from "../Face.ts"
import { SERVER } from "../HeaderTally.ts"
import * as ConnectionFace from "./ConnectionFace.ts"

/** Sign-ins that one call is worth. */
const ATTEMPTS = 2

export const open = Effect.gen(function* () {
  const entry = yield* (yield* McpConfig).get(SERVER)
  const headers = yield* (yield* HeaderResolver).open(entry, yield* CurrentCall)

  const signingIn = <A>(call: Effect.Effect<A, FaceError>): Effect.Effect<A, FaceError> =>
    Effect.retry(call, {
      times: ATTEMPTS,
      while: (error) =>
        needsSignIn(error) ? Effect.flatMap(CurrentCall, (owner) => headers.signIn(owner)) : Effect.succeed(false)
    })

  const { prompts, resources, tools } = yield* ConnectionFace.open
  return {
    tools: Effect.map(signingIn(tools), (offered) =>
      offered.map((tool) => ({ ...tool, call: (args) => signingIn(tool.call(args)) }))
    ),
    prompts: signingIn(prompts),
    resources: signingIn(resources)
  } satisfies Face
})

const needsSignIn = (error: FaceError): boolean =>
  error instanceof McpError &&
  error.reason._tag === "HeadersFailed" &&
  error.reason.error.reason._tag === "SignInRequired"
