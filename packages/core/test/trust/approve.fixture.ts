/** A process of its own that approves one server and prints how that went: `approve.fixture.ts DIRECTORY SERVER`. */
import { layerFile, TrustStore } from "@letterhead/core/trust/TrustStore"
import { subject } from "@letterhead/testing/laws/TrustStoreLaws"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

const [directory = "", server = ""] = process.argv.slice(2)

const program = Effect.flatMap(TrustStore, (store) =>
  store.approve(subject({ configuration: "/repository/letterhead.json", server }))
).pipe(
  Effect.match({ onFailure: (error) => error.message, onSuccess: () => "approved" }),
  Effect.provide(Layer.provide(layerFile({ directory }), NodeServices.layer))
)

process.stdout.write(await Effect.runPromise(program))
