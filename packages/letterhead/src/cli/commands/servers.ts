/**
 * `letterhead servers`: the servers that are configured here, and how each stands. Runs and sends nothing.
 *
 * `--json`: `{ servers: [{ name, transport, target, scope, declared, headers, helper, hooks, authorization: { state,
 * expiresAt?, renewable? }, trust }], failed: [{ source, code, message }], skipped: [{ name, code, message }], shadowed:
 * [{ name, declared, by, reason? }] }`; `state` is `signed in`, `needs login`, `client credentials`,
 * `JWT bearer assertion`, `identity assertion`, `static`, `credential`, `incoming`, `helper`,
 * `none`, or `unknown` where it cannot be read, and `expiresAt` is RFC 3339; `trust` is `own`, `not needed`, `approved`,
 * `changed`, `unapproved`, or `refused` where it could not be approved as it is.
 */
import { McpConfig } from "@letterhead/core/server/McpConfig"
import { formatPlace, type ServerEntry } from "@letterhead/core/server/ServerEntry"
import * as Clock from "effect/Clock"
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import { describeShadowed, warnOfAll } from "../ConfigNotes.ts"
import { displayTarget, transportOf } from "../DisplayTarget.ts"
import { withHeaders } from "../LazyLayers.ts"
import { Output } from "../Output.ts"
import { printableLine, shortened } from "../Printable.ts"
import { Settings } from "../Settings.ts"
import { render } from "../Table.ts"

export const servers = Command.make("servers", {}, () =>
  withHeaders(
    Effect.gen(function* () {
      const output = yield* Output
      const { cwd } = yield* Settings
      const config = yield* McpConfig
      const { trustState } = yield* Effect.promise(() => import("../TrustState.ts"))
      const { authorizationOf, describeAuthorization } = yield* Effect.promise(() => import("../SignInState.ts"))
      const now = yield* Clock.currentTimeMillis
      const rows = yield* Effect.forEach([...config.servers.values()], (entry) =>
        Effect.all({ entry: Effect.succeed(entry), trust: trustState(entry), authorization: authorizationOf(entry) })
      )
      if (output.json) {
        return yield* output.document({
          servers: rows.map(({ authorization: { expiresAt, ...authorization }, entry, trust }) => ({
            ...describe(entry),
            authorization: {
              ...authorization,
              ...(expiresAt === undefined ? {} : { expiresAt: new Date(expiresAt).toISOString() })
            },
            trust
          })),
          failed: config.failed.map(({ origin, reason }) => ({
            source: origin.source,
            code: reason._tag,
            message: reason.message
          })),
          skipped: config.skipped.map((skipped) => ({
            name: skipped.name,
            code: skipped.reason._tag,
            message: skipped.reason.message
          })),
          shadowed: config.shadowed.map(describeShadowed)
        })
      }
      yield* warnOfAll(config)
      if (rows.length === 0) {
        return yield* output.print(
          config.skipped.length + config.failed.length === 0
            ? "No servers are configured. See where they are looked for with: letterhead config path"
            : "No server can be used."
        )
      }
      return yield* output.print(
        render(
          {
            columns: ["server", "transport", "target", "headers from", "authorization", "trust", "declared"],
            rows: rows.map(({ authorization, entry, trust }) => [
              printableLine(entry.name),
              transportOf(entry),
              displayTarget(entry),
              sourcesOf(entry).join(", "),
              authorization.state === "needs login"
                ? `needs login: letterhead login ${printableLine(entry.name)}`
                : describeAuthorization(authorization, now),
              trust === "unapproved" || trust === "changed"
                ? `${trust}: letterhead trust approve ${entry.name}`
                : trust,
              shortened(placeOf(entry), cwd)
            ])
          },
          output
        )
      )
    })
  )
).pipe(Command.withDescription("List the configured servers"))

const describe = (entry: ServerEntry) => ({
  name: entry.name,
  transport: transportOf(entry),
  target: displayTarget(entry),
  scope: entry.origin.scope,
  declared: formatPlace(entry.place),
  headers: entry.headers.map((header) => header.name),
  helper: entry.helper !== undefined,
  hooks: entry.hooks.map((hook) => hook.path)
})

const sourcesOf = (entry: ServerEntry): ReadonlyArray<string> => [
  ...(entry.headers.length > 0 ? ["static"] : []),
  ...(entry.helper === undefined ? [] : ["helper"]),
  ...(entry.hooks.length > 0 ? ["hook"] : [])
]

/** The file and line; which entry of it is clear from the name. */
const placeOf = ({ place: { column, file, line } }: ServerEntry): string =>
  formatPlace({ file, ...(line === undefined ? {} : { line }), ...(column === undefined ? {} : { column }) })
