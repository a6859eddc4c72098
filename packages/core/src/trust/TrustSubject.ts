/**
 * All that an entry would execute, or send from outside its own text, with its digest (design rule 7).
 *
 * Guarantees that what a person approves is what happens: the digest covers the entry as it was written, the absolute
 * path of each program and the bytes of every workspace file it names (see {@link CoveredFiles}), over one encoding in
 * which no two entries look alike. Places inside the workspace go in relative to it, so that two checkouts of one
 * repository have one digest. {@link TrustSubject.lines} show the same to a person; what may be a secret is masked there
 * and only there. Refuses a configuration file that is a symbolic link, that somebody else owns or can write.
 *
 * Not covered: what a program loads further, and the values of variables and files that templates name.
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"
import { HeaderError, type HeaderErrorReason, TrustRefused } from "../headers/HeaderError.ts"
import * as Executable from "../helper/Executable.ts"
import { isCredentialName } from "../helper/HelperEnvironment.ts"
import { Environment } from "../server/Environment.ts"
import {
  formatPlace,
  type Helper,
  needsApproval,
  type Origin,
  type OriginScope,
  type PassthroughHeader,
  type ServerEntry,
  type StdioEndpoint
} from "../server/ServerEntry.ts"
import type { Template } from "../server/Template.ts"
import * as Ownership from "../storage/Ownership.ts"
import * as RegularFile from "../storage/RegularFile.ts"
import * as CoveredFiles from "./CoveredFiles.ts"
import * as OAuthSubject from "./OAuthSubject.ts"
import { commandLine, masked, maskedUrl, printable, shown } from "./SubjectText.ts"

/** One line of what a person approves: `["helper runs", "/usr/bin/node ./headers.js"]`. */
export type SubjectLine = readonly [label: string, value: string]

/** A workspace file whose bytes the digest covers. */
export interface CoveredFile {
  /** Absolute path. */
  readonly path: string
  /** Hexadecimal SHA-256 of its bytes. */
  readonly sha256: string
}

export interface TrustSubject {
  readonly server: string
  readonly scope: OriginScope
  /** Absolute path or URL of the configuration. */
  readonly configuration: string
  /** What would run or be sent, in reading order; values that may be secrets are masked. */
  readonly lines: ReadonlyArray<SubjectLine>
  readonly files: ReadonlyArray<CoveredFile>
  /** `sha256:` and hexadecimal digits, over all of the above unmasked. */
  readonly digest: string
}

/** The subject of `entry` as its files and programs are now. */
export const make = (entry: ServerEntry): Effect.Effect<TrustSubject, HeaderError, FileSystem.FileSystem | Path.Path> =>
  makeSubject(entry).pipe(Effect.mapError((reason) => new HeaderError({ reason, server: entry.name })))

/** Reads the covered files again; the path of the first that is not what it was, where there is one. */
export const firstChanged = (
  subject: TrustSubject
): Effect.Effect<string | undefined, never, FileSystem.FileSystem | Path.Path> =>
  CoveredFiles.firstChanged(subject.files)

/** What would run or be sent, as text, a line each. */
export const describe = (subject: TrustSubject): ReadonlyArray<string> => [
  ...subject.lines.map(formatLine),
  ...subject.files.map((file) => `covered file: ${printable(file.path)}`)
]

/** What differs between two subjects, a line each, what went before what came; empty only where nothing does. */
export const difference = (before: TrustSubject, after: TrustSubject): ReadonlyArray<string> => {
  const filesBefore = new Map(before.files.map((file) => [file.path, file.sha256]))
  const filesAfter = new Map(after.files.map((file) => [file.path, file.sha256]))
  const changes = [
    ...without(linesOf(before), linesOf(after)).map((line) => `- ${line}`),
    ...without(linesOf(after), linesOf(before)).map((line) => `+ ${line}`),
    ...before.files
      .filter((file) => !filesAfter.has(file.path))
      .map((file) => `- covered file: ${printable(file.path)}`),
    ...after.files.flatMap((file) => {
      const was = filesBefore.get(file.path)
      if (was === undefined) return [`+ covered file: ${printable(file.path)}`]
      return was === file.sha256 ? [] : [`~ covered file changed: ${printable(file.path)}`]
    })
  ]
  if (changes.length > 0 || before.digest === after.digest) return changes
  return ["~ something that is not shown here changed, such as a masked value"]
}

const formatLine = ([label, value]: SubjectLine): string => `${label}: ${value}`

const linesOf = (subject: TrustSubject): ReadonlyArray<string> => [
  `scope: ${subject.scope}`,
  `configuration: ${printable(subject.configuration)}`,
  `server: ${printable(subject.server)}`,
  ...subject.lines.map(formatLine)
]

/** The elements of `from` that `others` lacks, each as often as it is missing. */
const without = (from: ReadonlyArray<string>, others: ReadonlyArray<string>): ReadonlyArray<string> => {
  const left = new Map<string, number>()
  for (const other of others) left.set(other, (left.get(other) ?? 0) + 1)
  return from.filter((line) => {
    const count = left.get(line) ?? 0
    left.set(line, count - 1)
    return count <= 0
  })
}

/** The form of what is digested; another form is another digest. */
const FORM = "letterhead trust subject 1"
const SHELL = "sh"

/** What JSON encodes in one way only: arrays in a fixed order, no objects. */
type Canonical = string | number | boolean | null | ReadonlyArray<Canonical>

interface Part {
  readonly canonical: Canonical
  readonly lines: ReadonlyArray<SubjectLine>
  /** Words that may name files. */
  readonly words: ReadonlyArray<string>
}

const makeSubject = Effect.fnUntraced(function* (
  entry: ServerEntry
): Effect.fn.Return<TrustSubject, HeaderErrorReason, FileSystem.FileSystem | Path.Path> {
  const path = yield* Path.Path
  yield* checkConfiguration(entry.origin)
  const endpoint = entry.endpoint.type === "stdio" ? yield* stdioPart(entry.endpoint, entry.origin) : urlPart(entry)
  const helper = entry.helper === undefined ? NOTHING : yield* helperPart(entry.helper, entry.origin)
  const files = yield* CoveredFiles.cover(
    {
      words: [...endpoint.words, ...helper.words],
      required: [...(entry.helper?.files ?? []), ...entry.hooks.map((hook) => hook.path)]
    },
    entry.origin
  )
  const placed = (place: string): Canonical => placedIn(path, entry.origin, place)
  const canonical: Canonical = [
    FORM,
    entry.origin.scope,
    placed(entry.origin.source),
    entry.name,
    endpoint.canonical,
    helper.canonical,
    entry.headers.map((header) => [header.name, header.value.source]),
    entry.credentials.map((field) => [field.name, field.headerName, field.valuePrefix, field.default ?? null]),
    entry.passthrough.map((header) => [header.name, header.as, header.credential, header.override]),
    entry.hooks.map((hook) => placed(hook.path)),
    files.map((file) => [placed(file.path), file.sha256]),
    ...OAuthSubject.canonical(entry)
  ]
  const digest = yield* CoveredFiles.sha256(new TextEncoder().encode(JSON.stringify(canonical)))
  return {
    server: entry.name,
    scope: entry.origin.scope,
    configuration: entry.origin.source,
    lines: [
      ...endpoint.lines,
      ...helper.lines,
      ...entry.headers.map((header): SubjectLine => ["header", `${printable(header.name)}: ${masked(header.value)}`]),
      ...entry.credentials.map((field): SubjectLine => [
        "stored credential",
        `${printable(field.name)}, sent as ${printable(field.headerName)}`
      ]),
      ...entry.passthrough.map((header): SubjectLine => [
        "incoming header",
        `${printable(header.name)}, sent as ${printable(header.as)}${passthroughNotes(header)}`
      ]),
      ...entry.hooks.map((hook): SubjectLine => ["hook", printable(hook.path)]),
      ...OAuthSubject.lines(entry)
    ],
    files,
    digest: `sha256:${digest}`
  }
})

const passthroughNotes = (header: PassthroughHeader): string =>
  (header.credential ? ", a credential" : "") + (header.override ? ", above every other source but hooks" : "")

const NOTHING: Part = { canonical: null, lines: [], words: [] }

const urlPart = (entry: ServerEntry): Part => {
  if (entry.endpoint.type !== "http") return NOTHING
  const { transport, url } = entry.endpoint
  return {
    canonical: ["http", transport, url.source],
    lines: [["sends to", maskedUrl(url)]],
    words: []
  }
}

const stdioPart = Effect.fnUntraced(function* (
  endpoint: StdioEndpoint,
  origin: Origin
): Effect.fn.Return<Part, HeaderErrorReason, FileSystem.FileSystem | Path.Path> {
  const path = yield* Path.Path
  const program = yield* resolve(endpoint.command, origin)
  return {
    canonical: [
      "stdio",
      placedIn(path, origin, program),
      endpoint.command,
      endpoint.args,
      variables(endpoint.env),
      directory(path, origin)
    ],
    lines: [
      ["server runs", commandLine([program, ...endpoint.args])],
      ["server runs in", shownDirectory(origin)],
      ...variableLines("server variable", endpoint.env)
    ],
    words: [program, ...CoveredFiles.wordsOfArguments(endpoint.args)]
  }
})

const helperPart = Effect.fnUntraced(function* (
  helper: Helper,
  origin: Origin
): Effect.fn.Return<Part, HeaderErrorReason, FileSystem.FileSystem | Path.Path> {
  const path = yield* Path.Path
  const { command } = helper
  const shell = typeof command === "string"
  const program = yield* resolve(shell ? SHELL : (command[0] ?? ""), origin)
  const args = shell ? ["-c", command] : command.slice(1)
  const words = shell ? CoveredFiles.wordsOfShell(command) : CoveredFiles.wordsOfArguments(args)
  if (shell && origin.scope === "project" && helper.files === undefined) {
    const named = yield* CoveredFiles.filesNamed(words, origin)
    if (named.length === 0) {
      return yield* new TrustRefused({
        path: formatPlace(helper.place),
        rule:
          'is a shell command that names no file of the workspace; list the files it runs under "files" ' +
          "(an empty list says that there are none), or write the command as an array"
      })
    }
  }
  return {
    canonical: [
      shell ? "shell" : "direct",
      placedIn(path, origin, program),
      command,
      variables(helper.environment),
      helper.passEnv,
      directory(path, origin),
      helper.timeout,
      [helper.retry.times, helper.retry.delay],
      helper.cache,
      helper.onFailure,
      helper.files ?? null
    ],
    lines: [
      ["helper runs", commandLine([program, ...args])],
      ["helper runs in", shownDirectory(origin)],
      ...variableLines("helper variable", helper.environment),
      ...helper.passEnv.map((name): SubjectLine => ["helper keeps variable", printable(name)]),
      [
        "helper settings",
        `timeout ${helper.timeout} ms, retry ${helper.retry.times} times from ${helper.retry.delay} ms, ` +
          `cache ${helper.cache}, on failure ${helper.onFailure}`
      ]
    ],
    words: [program, ...words]
  }
})

/** The program as an absolute path, by the same rules as it is later started. */
const resolve = (command: string, origin: Origin) =>
  Effect.flatMap(Environment, (environment) =>
    Executable.resolve(command, { environment, directory: origin.directory })
  )

/** A configuration that somebody else can change decides nothing. One that is gone cannot be changed any more. */
const checkConfiguration = Effect.fnUntraced(function* (
  origin: Origin
): Effect.fn.Return<void, TrustRefused, FileSystem.FileSystem | Path.Path> {
  const path = yield* Path.Path
  if (!needsApproval(origin) || !path.isAbsolute(origin.source)) return
  const account = yield* Ownership.account
  yield* RegularFile.inspect(origin.source, { root: true, account }).pipe(
    Effect.catchTag("FileAbsent", () => Effect.void),
    Effect.mapError((error) => new TrustRefused({ path: error.path, rule: error.rule }))
  )
})

/** A place inside the workspace relative to it, any other as it is, each marked as what it is. */
const placedIn = (path: Path.Path, origin: Origin, place: string): Canonical => {
  const root = CoveredFiles.workspaceOf(origin)
  return root !== undefined && path.isAbsolute(place) && CoveredFiles.contains(path, root, place)
    ? ["workspace", path.relative(root, place).replaceAll(path.sep, "/")]
    : ["elsewhere", place]
}

const directory = (path: Path.Path, origin: Origin): Canonical =>
  origin.directory === undefined ? null : placedIn(path, origin, origin.directory)

const shownDirectory = (origin: Origin): string =>
  origin.directory === undefined ? "an empty private folder" : printable(origin.directory)

/** In the order of their names: a map's own order says nothing. */
const byName = (variables: ReadonlyMap<string, Template>): ReadonlyArray<readonly [string, Template]> =>
  [...variables].toSorted(([a], [b]) => (a < b ? -1 : 1))

const variables = (templates: ReadonlyMap<string, Template>): Canonical =>
  byName(templates).map(([name, value]) => [name, value.source])

const variableLines = (label: string, templates: ReadonlyMap<string, Template>): ReadonlyArray<SubjectLine> =>
  byName(templates).map(([name, value]) => [
    label,
    `${printable(name)}=${isCredentialName(name) ? masked(value) : shown(value)}`
  ])
