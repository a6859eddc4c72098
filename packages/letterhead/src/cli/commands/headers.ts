/**
 * `letterhead headers <server>`: what would be sent, where each header comes from, and what is left out and why.
 *
 * Runs the helper and the hooks as a call would; sends nothing to the server. Values are masked.
 *
 * `--json`: `{ server, session, headers: [{ name, sent: true, value, source, declared, shadowed: [{ source, declared
 * }] } | { name, sent: false, why, source, declared, shadowed }] }`; `value` is the mask.
 */
import type { Provenance } from "@letterhead/core/headers/ResolvedHeaders"
import { McpConfig } from "@letterhead/core/server/McpConfig"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import { warnOf } from "../ConfigNotes.ts"
import { withHeaders } from "../LazyLayers.ts"
import { mask } from "../MaskedValue.ts"
import { Output } from "../Output.ts"
import { printableLine, shortened } from "../Printable.ts"
import { withProgress } from "../Progress.ts"
import * as Session from "../Session.ts"
import { Settings } from "../Settings.ts"
import { render } from "../Table.ts"

export const headers = Command.make(
  "headers",
  {
    server: Argument.String("server").pipe(Argument.withDescription("Name of a configured server")),
    session: Session.flag
  },
  ({ server, session: named }) =>
    withHeaders(
      Effect.gen(function* () {
        const output = yield* Output
        const { cwd } = yield* Settings
        const config = yield* McpConfig
        const { HeaderResolver } = yield* Effect.promise(() => import("@letterhead/core/HeaderResolver"))
        const resolver = yield* HeaderResolver
        yield* warnOf(config, server)
        const entry = yield* config.get(server)
        const call = yield* Session.context(named)
        const provenance = yield* resolver
          .explain(entry, { ...call, server, method: "tools/call" })
          .pipe(withProgress(`asking the header sources of ${server}`))
        if (output.json) {
          return yield* output.document({
            server,
            session: call.sessionId,
            headers: provenance.map(describe)
          })
        }
        if (provenance.length === 0) return yield* output.print(`No headers are configured for "${server}".`)
        return yield* output.print(
          render(
            {
              columns: ["header", "value", "source", "declared", "shadowed"],
              rows: provenance.map((field) => [
                printableLine(field.name),
                field.value === undefined ? `not sent: ${field.notSent ?? "no value"}` : mask(field.value),
                field.source,
                shortened(field.declared, cwd),
                field.shadowed.map(({ declared, source }) => `${source} ${shortened(declared, cwd)}`).join("; ")
              ])
            },
            output
          )
        )
      })
    )
).pipe(Command.withDescription("Show what would be sent to a server and where it comes from, without sending"))

const describe = (field: Provenance) => ({
  name: field.name,
  ...(field.value === undefined
    ? { sent: false, why: field.notSent ?? "no value" }
    : { sent: true, value: mask(field.value) }),
  source: field.source,
  declared: field.declared,
  shadowed: field.shadowed
})
