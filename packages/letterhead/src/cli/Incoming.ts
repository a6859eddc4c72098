/**
 * `--incoming NAME`: a header of the request that a runtime would be serving, given by a person.
 *
 * The value is never an argument, where every process of the machine can read it: it comes from the environment
 * variable of that name (`x-user-token` from `X_USER_TOKEN`), else it is asked for without being shown.
 */
import { foldIncoming, type IncomingHeader } from "@letterhead/core/call/IncomingHeaders"
import { nameDefect } from "@letterhead/core/headers/HeaderField"
import type { McpConfig } from "@letterhead/core/server/McpConfig"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { CliFailure } from "./CliFailure.ts"
import { Invocation } from "./Invocation.ts"
import { Output } from "./Output.ts"
import { printableLine } from "./Printable.ts"

export const flag = Flag.String("incoming").pipe(
  Flag.withMetavar("NAME"),
  Flag.withDescription(
    "An incoming header for servers that let it through; its value is that of the variable NAME, such as " +
      "X_USER_TOKEN for x-user-token, else it is asked for; can be repeated"
  ),
  Flag.atLeast(0)
)

/** The environment variable that holds an incoming header: capitals, digits and `_`. */
export const variableOf = (name: string): string => name.toUpperCase().replace(/[^A-Z0-9]/g, "_")

/** The incoming headers of this run. */
export const collect = Effect.fnUntraced(function* (names: ReadonlyArray<string>) {
  const bad = names.find((name) => nameDefect(name) !== undefined)
  if (bad !== undefined) return yield* badName(bad)
  const { environment } = yield* Invocation
  const incoming: Array<IncomingHeader> = []
  const missing: Array<string> = []
  for (const [folded, name] of new Map(names.map((each) => [foldIncoming(each), each]))) {
    const value = environment[variableOf(folded)]
    if (value === undefined || value === "") missing.push(name)
    else incoming.push({ name, value: Redacted.make(value, { label: name }) })
  }
  if (missing.length > 0) incoming.push(...(yield* Effect.scoped(ask(missing))))
  // Without the flag nothing is known of a request; that is another thing than a request without headers.
  return names.length === 0 ? {} : { incoming }
})

/** Warns of incoming headers that a server does not let through: a misspelt name would go unnoticed. */
export const warnUnlisted = Effect.fnUntraced(function* (
  config: McpConfig["Service"],
  server: string,
  names: ReadonlyArray<string>
) {
  const output = yield* Output
  const entry = config.servers.get(server)
  if (entry === undefined) return
  const listed = new Set(entry.passthrough.map((header) => foldIncoming(header.name)))
  for (const name of new Set(names.filter((each) => !listed.has(foldIncoming(each))))) {
    yield* output.warn(`"${server}" lets no incoming header "${printableLine(name)}" through; it is not sent`)
  }
})

const ask = Effect.fnUntraced(function* (names: ReadonlyArray<string>) {
  const output = yield* Output
  if (!output.canAsk || output.json) {
    const variables = names.map((name) => `${variableOf(name)} for "${name}"`).join(", ")
    return yield* new CliFailure({
      code: "IncomingMissing",
      message: `an incoming header has no value: set ${variables}; nobody can be asked here`
    })
  }
  const { questions } = yield* Effect.promise(() => import("./TypedLine.ts"))
  const question = yield* questions
  const answers: Array<IncomingHeader> = []
  for (const name of names) {
    const answer = yield* question({ text: `Value of the incoming header "${name}"`, hidden: true })
    if (answer === "") {
      return yield* new CliFailure({
        code: "IncomingMissing",
        message: `the incoming header "${name}" was given no value`
      })
    }
    answers.push({ name, value: Redacted.make(answer, { label: name }) })
  }
  return answers
})

/** Of something that is no name, what follows a `=`, a `:` or a blank may be a secret. */
const badName = (name: string): CliFailure =>
  new CliFailure({
    code: "UsageInvalid",
    message: `--incoming takes the name of a header, and "${printableLine(name.split(/[=:\s]/, 1)[0] ?? "")}…" is none`,
    hint: "The value comes from the environment, or is asked for."
  })
