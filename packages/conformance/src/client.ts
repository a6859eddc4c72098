/**
 * The program that the suite starts for each scenario, as `client.ts FACE URL`: an MCP client that uses Letterhead.
 *
 * It prints the count of its requests as one line of JSON, also where it fails, which ends it with status 1.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { ClientFeatures } from "@letterhead/mcp/ClientFeatures"
import type { McpTransport } from "@letterhead/mcp/McpTransport"
import type { Services } from "letterhead/HeaderLayer"
import * as Authorization from "./Authorization.ts"
import type { Face, FaceError, Revision } from "./Face.ts"
import * as HeaderTally from "./HeaderTally.ts"
import * as ScenarioTour from "./ScenarioTour.ts"

type Open = Effect.Effect<Face, FaceError, McpTransport | Services | Scope.Scope>

/** Each loads its own client only. */
const FACES: Readonly<Record<string, (revision: Revision, url: string) => Promise<Open>>> = {
  connection: async () => (await import("./faces/ConnectionFace.ts")).open,
  "signing-in": async () => (await import("./faces/SigningInFace.ts")).open,
  sdk: async () => (await import("./faces/SdkFace.ts")).open,
  "older-sdk": async () => (await import("./faces/OlderSdkFace.ts")).open,
  effect: async (revision, url) => (await import("./faces/EffectFace.ts")).open(revision, url)
}

const [name = "", url = ""] = process.argv.slice(2)
const { MCP_CONFORMANCE_CONTEXT: context, MCP_CONFORMANCE_SCENARIO = "" } = process.env
const scenario = { name: MCP_CONFORMANCE_SCENARIO, context }
const revision = process.env["MCP_CONFORMANCE_PROTOCOL_VERSION"] === "2026-07-28" ? "2026-07-28" : "2025-11-25"

const face = FACES[name]
if (face === undefined) throw new Error(`"${name}" is no client: use one of ${Object.keys(FACES).join(", ")}`)

/** Accepts each form as it is; for a connection, since the other clients have handlers of their own. */
const features = Layer.succeed(ClientFeatures, {
  elicitation: () => Effect.succeed({ action: "accept", content: {} })
})
const tally = new HeaderTally.HeaderTally()
const letterhead = Layer.unwrap(
  Effect.map(Authorization.make(scenario), (authorization) =>
    HeaderTally.layer({ url, tally, authorization, home: process.env["LETTERHEAD_HOME"] })
  )
)
await Effect.flatMap(await face(revision, url), (opened) => ScenarioTour.run(opened, scenario))
  .pipe(Effect.scoped, Effect.provide(Layer.provide(letterhead, features)), Effect.runPromise)
  .finally(() => process.stdout.write(`${JSON.stringify(tally.tally)}\n`))
