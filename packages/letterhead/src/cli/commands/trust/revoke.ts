/**
 * `letterhead trust revoke <server>`: takes an approval back. Runs and sends nothing.
 *
 * Of several configurations that name such a server, the one that counts here is meant; for a server that is no longer
 * configured, the only one that was approved.
 *
 * `--json`: `{ server, configuration, revoked: true }`.
 */
import { McpConfig } from "@letterhead/core/server/McpConfig"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import { CliFailure } from "../../CliFailure.ts"
import { withHeaders } from "../../LazyLayers.ts"
import { Output } from "../../Output.ts"
import { printableLine } from "../../Printable.ts"

export const revoke = Command.make(
  "revoke",
  { server: Argument.String("server").pipe(Argument.withDescription("Name of an approved server")) },
  ({ server }) =>
    withHeaders(
      Effect.gen(function* () {
        const output = yield* Output
        const config = yield* McpConfig
        const { TrustStore } = yield* Effect.promise(() => import("@letterhead/core/trust/TrustStore"))
        const store = yield* TrustStore
        const approved = (yield* store.list)
          .filter((approval) => approval.subject.server === server)
          .map((approval) => approval.subject.configuration)
        const here = config.servers.get(server)?.origin.source
        const configuration = approved.length === 1 ? approved[0] : approved.find((candidate) => candidate === here)
        if (configuration === undefined) {
          return yield* new CliFailure({
            code: "ApprovalMissing",
            message:
              approved.length === 0
                ? `there is no approval for "${server}"; see letterhead trust list`
                : `"${server}" is approved in ${approved.join(", ")}; say which by --cwd or --config`
          })
        }
        yield* store.revoke({ configuration, server })
        if (output.json) return yield* output.document({ server, configuration, revoked: true })
        return yield* output.print(
          `"${printableLine(server)}" of ${printableLine(configuration)} is no longer approved.`
        )
      })
    )
).pipe(Command.withDescription("Take an approval back"))
