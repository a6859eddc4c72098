/**
 * `letterhead config path`: where configuration is looked for, in order of precedence, and where state is kept.
 *
 * `--json`: `{ documents: [{ source, scope, found, failed? }], directories: { config, state } }`; `failed` is true of a
 * document whose servers are not known.
 */
import { McpConfig } from "@letterhead/core/server/McpConfig"
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import { Invocation } from "../../Invocation.ts"
import { withHeaders } from "../../LazyLayers.ts"
import { Output } from "../../Output.ts"
import { printableLine } from "../../Printable.ts"
import { render } from "../../Table.ts"

export const path = Command.make("path", {}, () =>
  withHeaders(
    Effect.gen(function* () {
      const output = yield* Output
      const { environment } = yield* Invocation
      const { documents, failed } = yield* McpConfig
      const unusable = new Set(failed.map(({ origin }) => origin.source))
      const { resolve } = yield* Effect.promise(() => import("../../../Directories.ts"))
      const { config, state } = yield* resolve(environment)
      if (output.json) {
        return yield* output.document({
          documents: documents.map(({ found, origin }) => ({
            source: origin.source,
            scope: origin.scope,
            found,
            ...(unusable.has(origin.source) ? { failed: true } : {})
          })),
          directories: { config, state }
        })
      }
      return yield* output.print(
        [
          render(
            {
              columns: ["configuration", "scope", "state"],
              rows: documents.map(({ found, origin }) => [
                printableLine(origin.source),
                origin.scope,
                unusable.has(origin.source) ? "cannot be used: letterhead config check" : found ? "read" : "not there"
              ])
            },
            output
          ),
          "",
          `your configuration  ${printableLine(config)}`,
          `approvals           ${printableLine(state)}`
        ].join("\n")
      )
    })
  )
).pipe(Command.withDescription("Show where configuration is looked for"))
