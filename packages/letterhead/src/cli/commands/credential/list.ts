/**
 * `letterhead credential list`: the credentials that the configured servers ask for, and which are set. Shows no value,
 * and sends nothing.
 *
 * `--json`: `{ credentials: [{ server, field, title, header, required, state, origin?, keptIn?, declared }], others: [{
 * server, field, origin, principal, keptIn }] }`; `state` is `set`, `default`, `not set`, or `unknown` where the server's
 * URL is not known before it is approved or the store cannot be read. `others` are stored, and belong to no server that
 * is configured here. Sign-ins are no credentials: see `letterhead servers`.
 */
import { isSame } from "@letterhead/core/secrets/SecretKey"
import type { StoredSecret } from "@letterhead/core/secrets/SecretStore"
import { McpConfig } from "@letterhead/core/server/McpConfig"
import { type CredentialField, formatPlace, type ServerEntry } from "@letterhead/core/server/ServerEntry"
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { isOfSignIn } from "../../../OAuthLayer.ts"
import { warnOfAll } from "../../ConfigNotes.ts"
import { type CredentialState, ownKey } from "../../CredentialState.ts"
import { withHeaders } from "../../LazyLayers.ts"
import { Output } from "../../Output.ts"
import { printableLine } from "../../Printable.ts"
import { render } from "../../Table.ts"

export const list = Command.make("list", {}, () =>
  withHeaders(
    Effect.gen(function* () {
      const output = yield* Output
      const config = yield* McpConfig
      yield* warnOfAll(config)
      const { SecretStore } = yield* Effect.promise(() => import("@letterhead/core/secrets/SecretStore"))
      const store = yield* SecretStore
      const stored = yield* store.list
      const rows = yield* Effect.forEach([...config.servers.values()], (entry) =>
        Effect.forEach(entry.credentials, (field) => rowOf(entry, field, stored))
      ).pipe(Effect.map((ofServers) => ofServers.flat()))
      const others = stored.filter(
        (secret) =>
          !isOfSignIn(secret.field) && !rows.some(({ secret: own }) => own !== undefined && isSame(own, secret))
      )
      if (output.json) {
        return yield* output.document({ credentials: rows.map(({ row }) => row), others })
      }
      if (rows.length === 0 && others.length === 0) return yield* output.print("No server asks for credentials.")
      return yield* output.print(
        render(
          {
            columns: ["server", "field", "header", "state", "kept in"],
            rows: [
              ...rows.map(({ row }) => [row.server, row.field, row.header, stateText(row), row.keptIn ?? ""]),
              ...others.map((secret) => [
                secret.server,
                secret.field,
                "",
                `stored for ${secret.origin}, not asked for here`,
                secret.keptIn
              ])
            ].map((cells) => cells.map(printableLine))
          },
          output
        )
      )
    })
  )
).pipe(Command.withDescription("List the credentials that servers ask for, and which are set"))

const rowOf = Effect.fnUntraced(function* (
  entry: ServerEntry,
  field: CredentialField,
  stored: ReadonlyArray<StoredSecret>
) {
  const { SecretStore } = yield* Effect.promise(() => import("@letterhead/core/secrets/SecretStore"))
  const store = yield* SecretStore
  const key = yield* Effect.option(ownKey(entry, field.name))
  const secret = Option.isNone(key) ? undefined : stored.find((candidate) => isSame(candidate, key.value))
  // That it is listed is not enough: what a keychain holds can be taken out with the keychain's own tools.
  const found = Option.isNone(key) ? undefined : yield* Effect.orElseSucceed(store.get(key.value), () => undefined)
  const state: CredentialState =
    found === undefined ? "unknown" : Option.isSome(found) ? "set" : field.default === undefined ? "not set" : "default"
  const row = {
    server: entry.name,
    field: field.name,
    title: field.title,
    header: field.headerName,
    required: field.required,
    state,
    ...(Option.isNone(key) ? {} : { origin: key.value.origin }),
    keptIn: state === "set" ? secret?.keptIn : undefined,
    declared: formatPlace(field.place)
  }
  return { row, secret }
})

const stateText = ({ required, state }: { readonly required: boolean; readonly state: CredentialState }): string =>
  state === "not set" && required ? "not set, required" : state
