/**
 * `letterhead trust approve <server>`: shows exactly what would run or be sent, and asks.
 *
 * Without a terminal it approves only what `--digest` names exactly. Runs and sends nothing.
 *
 * `--json`: `{ server, digest, approved, already, passEnv, subject: [{ label, value }], files: [{ path, sha256
 * }], changes: [text] }`.
 */
import { McpConfig } from "@letterhead/core/server/McpConfig"
import { needsApproval } from "@letterhead/core/server/ServerEntry"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Terminal from "effect/Terminal"
import { CliFailure } from "../../CliFailure.ts"
import { warnOf } from "../../ConfigNotes.ts"
import { withHeaders } from "../../LazyLayers.ts"
import { Output } from "../../Output.ts"
import { printableLine } from "../../Printable.ts"
import { confirm } from "../../Question.ts"
import { describeSubject, LIMITS, linesOf } from "../../TrustText.ts"

export const approve = Command.make(
  "approve",
  {
    server: Argument.String("server").pipe(Argument.withDescription("Name of a configured server")),
    digest: Flag.String("digest").pipe(
      Flag.withMetavar("sha256:…"),
      Flag.withDescription("Approve without asking, if this is the digest of what would run"),
      Flag.optional
    ),
    passEnv: Flag.String("pass-env").pipe(
      Flag.withMetavar("NAME"),
      Flag.withDescription("Let what runs have this credential-like variable; can be repeated"),
      Flag.atLeast(0)
    )
  },
  (input) => withHeaders(decide(input))
).pipe(Command.withDescription("Look at what a server would run or send, and approve it"))

const decide = Effect.fnUntraced(function* (input: {
  readonly server: string
  readonly digest: Option.Option<string>
  readonly passEnv: ReadonlyArray<string>
}) {
  const output = yield* Output
  const config = yield* McpConfig
  const { TrustStore } = yield* Effect.promise(() => import("@letterhead/core/trust/TrustStore"))
  const store = yield* TrustStore
  yield* warnOf(config, input.server)
  const entry = yield* config.get(input.server)
  if (!needsApproval(entry.origin)) {
    return yield* new CliFailure({
      code: "UsageInvalid",
      message: `"${input.server}" needs no approval: it is declared in ${entry.origin.source}, which is your own`
    })
  }
  const unnamed = input.passEnv.filter((name) => !VARIABLE_NAME.test(name))
  if (unnamed.length > 0) {
    return yield* new CliFailure({
      code: "UsageInvalid",
      message: `--pass-env takes the name of a variable, and "${printableLine(unnamed.join(", "))}" is none`
    })
  }
  const { difference, make } = yield* Effect.promise(() => import("@letterhead/core/trust/TrustSubject"))
  const subject = yield* make(entry)
  const decision = yield* store.check(subject)
  const before = decision._tag === "NeverApproved" ? undefined : decision.approval
  const changes =
    before === undefined
      ? []
      : [...difference(before.subject, subject), ...passEnvChanges(before.passEnv, input.passEnv)]
  const already = decision._tag === "Approved" && changes.length === 0
  const digest = Option.getOrUndefined(input.digest)
  const document = (approved: boolean) =>
    output.document({
      server: input.server,
      digest: subject.digest,
      approved,
      already,
      passEnv: input.passEnv,
      subject: linesOf(subject),
      files: subject.files,
      changes
    })

  if (!output.json) {
    yield* output.print(
      [
        `${output.style.bold(printableLine(input.server))} would run or send:`,
        describeSubject(subject, output.style),
        ...(input.passEnv.length === 0 ? [] : [`What runs would also get: ${input.passEnv.join(", ")}`]),
        ...(changes.length === 0
          ? []
          : [
              output.style.yellow("Changed since you approved it:"),
              ...changes.map((line) => `  ${printableLine(line)}`)
            ]),
        LIMITS
      ].join("\n")
    )
  }
  const decided: Effect.Effect<void, CliFailure, Output | Terminal.Terminal> =
    digest === undefined
      ? already
        ? Effect.void
        : ask(input.server, subject.digest)
      : digest === subject.digest
        ? Effect.void
        : new CliFailure({
            code: "DigestMismatch",
            message: `the digest is ${subject.digest}, not ${printableLine(digest)}; nothing was approved`
          })
  // What there is to approve is the answer to a program that may not approve it.
  yield* output.json ? Effect.tapError(decided, () => document(false)) : decided
  if (!already) yield* store.approve(subject, { passEnv: input.passEnv })
  return yield* output.json
    ? document(true)
    : output.print(already ? "It is approved already." : output.style.green("Approved."))
})

const ask = Effect.fnUntraced(function* (server: string, digest: string) {
  const output = yield* Output
  if (!output.canAsk || output.json) {
    return yield* new CliFailure({
      code: "ApprovalRefused",
      message: "nobody can be asked here, so nothing was approved",
      hint: `To approve exactly this: letterhead trust approve ${server} --digest ${digest}`
    })
  }
  return (yield* confirm("Approve?"))
    ? undefined
    : yield* new CliFailure({ code: "ApprovalRefused", message: "nothing was approved" })
})

const VARIABLE_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/

const passEnvChanges = (before: ReadonlyArray<string>, now: ReadonlyArray<string>): ReadonlyArray<string> => [
  ...before.filter((name) => !now.includes(name)).map((name) => `- --pass-env ${name}`),
  ...now.filter((name) => !before.includes(name)).map((name) => `+ --pass-env ${name}`)
]
