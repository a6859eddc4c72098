/**
 * `letterhead credential set <server> [field]`: stores what a person types, or pipes in; never an argument, which every
 * process of the machine could read. Sends nothing.
 *
 * Without a field it asks for all of the server's; an empty answer leaves a field as it is. Piped in, the value of one
 * field is all of the input less one line break at its end; of several, a line each, in the configuration's order.
 *
 * `--json`: `{ server, origin, credentials: [{ field, header, keptIn }] }`, of those that were set.
 */
import { LOCAL_PRINCIPAL } from "@letterhead/core/call/CallContext"
import { HeaderError, type HeaderErrorReason } from "@letterhead/core/headers/HeaderError"
import { McpConfig } from "@letterhead/core/server/McpConfig"
import type { CredentialField, ServerEntry } from "@letterhead/core/server/ServerEntry"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { CliFailure } from "../../CliFailure.ts"
import { warnOf } from "../../ConfigNotes.ts"
import { fieldsNamed } from "../../CredentialState.ts"
import { withHeaders } from "../../LazyLayers.ts"
import { Output } from "../../Output.ts"
import { printable, printableLine } from "../../Printable.ts"

export const set = Command.make(
  "set",
  {
    server: Argument.String("server").pipe(Argument.withDescription("Name of a configured server")),
    field: Argument.String("field").pipe(
      Argument.withDescription("One of the server's credentials; all of them if not named"),
      Argument.optional
    )
  },
  (input) => withHeaders(store(input))
).pipe(
  Command.withDescription("Store credentials of a server, from the keyboard or standard input"),
  Command.withExamples([
    { command: "letterhead credential set weather", description: "Asks for each credential" },
    { command: "pass show weather | letterhead credential set weather API_KEY", description: "From another program" }
  ])
)

const store = Effect.fnUntraced(function* (input: { readonly server: string; readonly field: Option.Option<string> }) {
  const output = yield* Output
  const config = yield* McpConfig
  yield* warnOf(config, input.server)
  const entry = yield* config.get(input.server)
  const fields = yield* fieldsNamed(entry, Option.getOrUndefined(input.field))
  const { evaluate } = yield* Effect.promise(() => import("@letterhead/core/server/ServerUrl"))
  const { fieldWith } = yield* Effect.promise(() => import("@letterhead/core/sources/CredentialSource"))
  const { SecretStore } = yield* Effect.promise(() => import("@letterhead/core/secrets/SecretStore"))
  const { origin } = yield* evaluate(entry)
  const check: Check = (field, value) =>
    Result.match(fieldWith(field, value), { onSuccess: () => undefined, onFailure: (reason) => reason })

  const values = yield* process.stdin.isTTY
    ? Effect.scoped(ask(entry, fields, origin, check))
    : piped(entry, fields, check)
  const secrets = yield* SecretStore
  for (const [field, value] of values) {
    yield* secrets.set({ principal: LOCAL_PRINCIPAL, origin, server: entry.name, field: field.name }, value)
  }
  const kept = new Map(
    (yield* secrets.list).flatMap((secret) =>
      secret.principal === LOCAL_PRINCIPAL && secret.origin === origin && secret.server === entry.name
        ? [[secret.field, secret.keptIn] as const]
        : []
    )
  )
  const done = [...values.keys()].map((field) => ({
    field: field.name,
    header: field.headerName,
    keptIn: kept.get(field.name) ?? "unknown"
  }))
  if (output.json) return yield* output.document({ server: entry.name, origin, credentials: done })
  if (done.length === 0) return yield* output.print("Nothing was set.")
  return yield* output.print(
    done
      .map(({ field, header, keptIn }) =>
        printableLine(`${field} is set: kept in ${keptIn}, sent to ${origin} as ${header}.`)
      )
      .join("\n")
  )
})

/** What is wrong with a value, where something is. */
type Check = (field: CredentialField, value: string) => HeaderErrorReason | undefined

const ask = Effect.fnUntraced(function* (
  entry: ServerEntry,
  fields: ReadonlyArray<CredentialField>,
  origin: string,
  check: Check
) {
  const output = yield* Output
  if (!output.canAsk || output.json) {
    return yield* new CliFailure({
      code: "UsageInvalid",
      message: "nobody can be asked here; give the value on standard input"
    })
  }
  const { questions } = yield* Effect.promise(() => import("../../TypedLine.ts"))
  const put = yield* questions
  yield* output.aside(printable(`Credentials of "${entry.name}", for ${origin}. An empty answer changes nothing.`))
  const values = new Map<CredentialField, Redacted.Redacted>()
  for (const field of fields) {
    const name = field.title === field.name ? field.name : `${field.title} (${field.name})`
    if (field.description !== undefined) yield* output.aside(printableLine(field.description))
    for (;;) {
      const value = yield* put({ text: printableLine(name), hidden: field.sensitive })
      if (value === "") break
      const defect = check(field, value)
      if (defect === undefined) {
        values.set(field, Redacted.make(value))
        break
      }
      yield* output.warn(printable(defect.message))
    }
  }
  return values
})

const piped = Effect.fnUntraced(function* (entry: ServerEntry, fields: ReadonlyArray<CredentialField>, check: Check) {
  const { readAll } = yield* Effect.promise(() => import("../../StandardInput.ts"))
  const text = (yield* readAll).replace(/\r?\n$/, "")
  const lines = fields.length === 1 ? [text] : text.split(/\r?\n/)
  if (text === "" || lines.length !== fields.length) {
    const names = fields.map(({ name }) => name).join(", ")
    return yield* new CliFailure({
      code: "UsageInvalid",
      message: printableLine(
        fields.length === 1
          ? `standard input is empty; give the value of ${names} there`
          : `standard input must have ${fields.length} lines, one for each of ${names}; an empty one changes nothing`
      )
    })
  }
  const values = new Map<CredentialField, Redacted.Redacted>()
  for (const [index, field] of fields.entries()) {
    const value = lines[index] ?? ""
    if (value === "") continue
    const defect = check(field, value)
    if (defect !== undefined) return yield* new HeaderError({ server: entry.name, reason: defect })
    values.set(field, Redacted.make(value))
  }
  return values
})
