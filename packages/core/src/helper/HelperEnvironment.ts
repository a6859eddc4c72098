/**
 * The environment a helper gets, as a whole: nothing is inherited that is not listed here.
 *
 * The runtime's own variables, the entry's `environment`, and the server's name and URL under the names of Letterhead
 * and of Claude Code. A helper that came with somebody else's files (scope `project` or `remote`) does not get the
 * person's credentials: variables with a credential-like name, or with a password within a URL as their value, are
 * withheld unless `passEnv` names them. Such an entry may not set what decides which code runs either; saying so is
 * refused before anything is approved or started.
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type * as Path from "effect/Path"
import * as Redacted from "effect/Redacted"
import { type FileUnreadable, TrustRefused, type VariableMissing } from "../headers/HeaderError.ts"
import { Environment } from "../server/Environment.ts"
import { formatPlace, type Helper, needsApproval, type ServerEntry } from "../server/ServerEntry.ts"
import * as Template from "../server/Template.ts"

export interface HelperEnvironment {
  /** Every variable; what a template made of the entry's `environment` is `Redacted`. */
  readonly variables: Readonly<Record<string, string | Redacted.Redacted>>
  /** Names of the variables that were withheld, sorted. */
  readonly withheld: ReadonlyArray<string>
}

/** What stands in a URL in place of a password or the value of a query. */
export const REDACTED = "REDACTED"

/** What an entry says of the environment of a program: of its helper, or of the server itself. */
export type Added = Pick<Helper, "environment" | "passEnv" | "place">

/** The variable that an entry of this scope may not set, as a refusal; `undefined` where all are allowed. */
export const refusal = (added: Added, entry: ServerEntry): TrustRefused | undefined => {
  if (!needsApproval(entry.origin)) return undefined
  const name = [...added.environment.keys()].find(decidesWhatRuns)
  return name === undefined
    ? undefined
    : new TrustRefused({
        path: formatPlace(added.place),
        rule: `sets ${name}, which decides what code runs; a ${entry.origin.scope} entry cannot, so remove it from its variables`
      })
}

/** The environment of a helper's run; evaluates templates, so ask the trust gate first. */
export const make = Effect.fnUntraced(function* (
  helper: Helper,
  entry: ServerEntry,
  passEnv: ReadonlyArray<string>
): Effect.fn.Return<HelperEnvironment, VariableMissing | FileUnreadable, FileSystem.FileSystem | Path.Path> {
  const { variables, withheld } = yield* inherit(helper, entry, passEnv)
  const server: Record<string, string> = {}
  const url = shownUrl(entry)
  for (const prefix of ["LETTERHEAD_SERVER", "CLAUDE_CODE_MCP_SERVER"]) {
    server[`${prefix}_NAME`] = entry.name
    if (url !== undefined) server[`${prefix}_URL`] = url
  }
  return { variables: { ...variables, ...server }, withheld }
})

/** What a program of the entry inherits, and what the entry adds; evaluates templates, as {@link make} does. */
export const inherit = Effect.fnUntraced(function* (
  added: Added,
  entry: ServerEntry,
  passEnv: ReadonlyArray<string>
): Effect.fn.Return<HelperEnvironment, VariableMissing | FileUnreadable, FileSystem.FileSystem | Path.Path> {
  const inherited = yield* Environment
  const passed = new Set([...added.passEnv, ...passEnv])
  const variables = new Map<string, string | Redacted.Redacted>()
  const withheld: Array<string> = []
  for (const [name, value] of Object.entries(inherited)) {
    if (value === undefined) continue
    if (needsApproval(entry.origin) && !passed.has(name) && isCredential(name, value)) withheld.push(name)
    else variables.set(name, value)
  }
  for (const [name, template] of added.environment) {
    const value = yield* Template.evaluate(template, { origin: entry.origin, place: added.place })
    variables.set(name, Redacted.make(value, { label: name }))
  }
  return { variables: Object.fromEntries(variables), withheld: withheld.toSorted() }
})

/** Whether a variable's name has a credential-like part, such as `GITHUB_TOKEN`, `API_KEYS`, `npmAuthToken`, `KEY2`. */
export const isCredentialName = (name: string): boolean =>
  name
    .split(/[^A-Za-z0-9]+|(?<=[a-z0-9])(?=[A-Z])/)
    .map((part) => part.toUpperCase().replace(/\d+$/, ""))
    .some((part) => CREDENTIAL_PARTS.has(part) || CREDENTIAL_PARTS.has(part.replace(/S$/, "")) || GLUED.test(part))

/**
 * The server's URL as a helper may see it: without user, password, values of the query and fragment.
 *
 * Where the URL takes something from outside, the template's own text stands for it.
 */
const shownUrl = (entry: ServerEntry): string | undefined => {
  if (entry.endpoint.type !== "http") return undefined
  const template = entry.endpoint.url
  const text = Template.readsOutside(template)
    ? template.source
    : template.parts.map((part) => (part._tag === "Text" ? part.text : "")).join("")
  const [, beforeQuery = "", query, fragment] = URL_PARTS.exec(text) ?? []
  return [
    beforeQuery.replace(/^([^/]*\/\/)[^/]*@/, `$1${REDACTED}@`),
    query === undefined ? "" : `?${query.split("&").map(withoutValue).join("&")}`,
    fragment === undefined ? "" : `#${REDACTED}`
  ].join("")
}

const withoutValue = (parameter: string): string => {
  const equals = parameter.indexOf("=")
  return equals === -1 ? (parameter === "" ? "" : REDACTED) : `${parameter.slice(0, equals)}=${REDACTED}`
}

/** Whether a variable may be a credential: by its name, or by a password in its value. */
export const isCredential = (name: string, value: string): boolean =>
  isCredentialName(name) || URL_PASSWORD.test(value) || (/_PROXY$/i.test(name) && value.includes("@"))

const decidesWhatRuns = (name: string): boolean => {
  const folded = name.toUpperCase()
  return CODE_NAMES.has(folded) || CODE_PREFIXES.some((prefix) => folded.startsWith(prefix))
}

const URL_PARTS = /^([^?#]*)(?:\?([^#]*))?(?:#(.*))?$/s

/** `scheme://user:password@`. */
const URL_PASSWORD = /:\/\/[^\s/@]*:[^\s/@]*@/

const CREDENTIAL_PARTS: ReadonlySet<string> = new Set([
  "TOKEN",
  "SECRET",
  "PASSWORD",
  "PASSWD",
  "PASSPHRASE",
  "KEY",
  "AUTH",
  "COOKIE",
  "PAT",
  "DSN",
  "CREDENTIAL",
  "CREDENTIALS"
])

/** Long enough to mean the same at the end of a word: PGPASSWORD, AUTHTOKEN, APIKEY. */
const GLUED = /(?:TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|APIKEY|CREDENTIAL)S?$/

const CODE_NAMES: ReadonlySet<string> = new Set(["PATH", "NODE_OPTIONS", "BASH_ENV", "ENV", "RUBYOPT"])
const CODE_PREFIXES = ["LD_", "DYLD_", "PYTHON", "PERL5", "GIT_"] as const
