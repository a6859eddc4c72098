/**
 * `letterhead headers <server>`: what would be sent, where each header comes from, and what is left out and why.
 *
 * Runs the helper and the hooks as a call would; sends nothing to the server. Values are masked. A server that is a
 * program has no headers: the command says so, and starts nothing.
 *
 * `--json`: `{ server, session, headers: [{ name, sent, value, why, source, declared, shadowed: [{ source, declared
 * }] }] }`. `value` is the mask, and absent where `sent` is false. `why` is a part of a sentence: why this value won, or
 * why nothing is sent. `declared` is a place in a file, a command, or a module; `shadowed` is what lost, highest first.
 * Of a program, `headers` is empty and a `why` beside it says so.
 */
import { McpConfig } from "@letterhead/core/server/McpConfig"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import { explain, withoutSecrets } from "../../ExplainedHeader.ts"
import { warnOf } from "../ConfigNotes.ts"
import { renderHeaders } from "../HeaderTable.ts"
import * as Incoming from "../Incoming.ts"
import { withHeaders } from "../LazyLayers.ts"
import { Output } from "../Output.ts"
import { withProgress } from "../Progress.ts"
import * as Session from "../Session.ts"
import { Settings } from "../Settings.ts"

export const headers = Command.make(
  "headers",
  {
    server: Argument.String("server").pipe(Argument.withDescription("Name of a configured server")),
    session: Session.flag,
    incoming: Incoming.flag
  },
  ({ incoming, server, session: named }) =>
    withHeaders(
      Effect.gen(function* () {
        const output = yield* Output
        const { cwd } = yield* Settings
        const config = yield* McpConfig
        const { HeaderResolver } = yield* Effect.promise(() => import("@letterhead/core/HeaderResolver"))
        const resolver = yield* HeaderResolver
        yield* warnOf(config, server)
        const entry = yield* config.get(server)
        const call = { ...(yield* Session.context(named)), ...(yield* Incoming.collect(incoming)) }
        if (entry.endpoint.type === "stdio") return yield* reportProgram(server, call.sessionId)
        yield* Incoming.warnUnlisted(config, server, incoming)
        const provenance = yield* resolver
          .explain(entry, { ...call, server, method: "tools/call" })
          .pipe(Effect.map(withoutSecrets), withProgress(`asking the header sources of ${server}`))
        if (output.json) {
          return yield* output.document({
            server,
            session: call.sessionId,
            headers: explain(provenance)
          })
        }
        if (provenance.length === 0) return yield* output.print(`No headers are configured for "${server}".`)
        const ofHooks = entry.hooks.length === 0 ? "" : `\n\n${output.style.dim(OF_HOOKS)}`
        return yield* output.print(renderHeaders(provenance, { ...output, cwd }) + ofHooks)
      })
    )
).pipe(Command.withDescription("Show what would be sent to a server and where it comes from, without sending"))

/** What there is to say of a server that is a program. */
const reportProgram = Effect.fnUntraced(function* (server: string, session: string | undefined) {
  const output = yield* Output
  return yield* output.json
    ? output.document({ server, session, headers: [], why: NO_HEADERS })
    : output.print(`No headers are sent to "${server}": ${NO_HEADERS}. What it is given stands in its "env".`)
})

const NO_HEADERS = "it is a program, which is spoken to over its standard streams"

/** What a person who looks at the headers of a call would not guess. */
const OF_HOOKS = "Hooks run for calls. What the connection itself sends has the other headers alone."
