/**
 * `letterhead credential remove <server> [field]`: takes stored credentials away, all of the server's if none is named.
 * Sends nothing.
 *
 * For a configured server those of its URL's origin are meant; for one that is no longer configured, those of the only
 * origin that there are any for. What could not be taken out of a keychain is an error that says so.
 *
 * `--json`: `{ server, origin, removed: [field] }`.
 */
import { LOCAL_PRINCIPAL } from "@letterhead/core/call/CallContext"
import type { HeaderError } from "@letterhead/core/headers/HeaderError"
import { McpConfig } from "@letterhead/core/server/McpConfig"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { isOfSignIn } from "../../../OAuthLayer.ts"
import { CliFailure } from "../../CliFailure.ts"
import { withHeaders } from "../../LazyLayers.ts"
import { Output } from "../../Output.ts"
import { printableLine } from "../../Printable.ts"

export const remove = Command.make(
  "remove",
  {
    server: Argument.String("server").pipe(Argument.withDescription("Name of a server")),
    field: Argument.String("field").pipe(
      Argument.withDescription("One of its credentials; all of them if not named"),
      Argument.optional
    )
  },
  (input) => withHeaders(takeAway(input.server, Option.getOrUndefined(input.field)))
).pipe(Command.withDescription("Remove stored credentials of a server"))

const takeAway = Effect.fnUntraced(function* (server: string, named: string | undefined) {
  const output = yield* Output
  const config = yield* McpConfig
  const { SecretStore } = yield* Effect.promise(() => import("@letterhead/core/secrets/SecretStore"))
  const { evaluate } = yield* Effect.promise(() => import("@letterhead/core/server/ServerUrl"))
  const store = yield* SecretStore
  const entry = config.servers.get(server)
  const stored = (yield* store.list).filter(
    (secret) =>
      secret.principal === LOCAL_PRINCIPAL &&
      secret.server === server &&
      !isOfSignIn(secret.field) &&
      (named === undefined || secret.field === named)
  )
  const origins = [...new Set(stored.map(({ origin }) => origin))]
  const origin = entry === undefined ? origins[0] : (yield* evaluate(entry)).origin
  if (entry === undefined && origins.length > 1) {
    return yield* new CliFailure({
      code: "CredentialUnknown",
      message: `"${printableLine(server)}" is not configured here, and credentials are stored for ${origins.join(", ")}; say which by --cwd or --config`
    })
  }
  const removed: Array<string> = []
  const failures: Array<HeaderError> = []
  for (const { field, keptIn: _, ...rest } of stored.filter((secret) => secret.origin === origin)) {
    yield* Effect.match(store.remove({ ...rest, field }), {
      onSuccess: () => void removed.push(field),
      onFailure: (failure) => void failures.push(failure)
    })
  }
  const [failure] = failures
  if (failure !== undefined) return yield* failure
  if (removed.length === 0) {
    return yield* new CliFailure({
      code: "CredentialUnset",
      message: `nothing is stored for ${named === undefined ? "" : `${printableLine(named)} of `}"${printableLine(server)}"; see letterhead credential list`
    })
  }
  if (output.json) return yield* output.document({ server, origin, removed })
  return yield* output.print(printableLine(`${removed.join(", ")} of "${server}" for ${origin} removed.`))
})
