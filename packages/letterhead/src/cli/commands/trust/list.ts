/**
 * `letterhead trust list`: what was approved. Runs and sends nothing.
 *
 * `--json`: `{ approvals: [{ server, scope, configuration, digest, approvedAt, passEnv, subject: [{ label, value }],
 * files: [{ path, sha256 }] }] }`; `approvedAt` is RFC 3339.
 */
import type { Approval } from "@letterhead/core/trust/TrustStore"
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import { withHeaders } from "../../LazyLayers.ts"
import { Output } from "../../Output.ts"
import { printableLine, shortened } from "../../Printable.ts"
import { Settings } from "../../Settings.ts"
import { render } from "../../Table.ts"
import { linesOf } from "../../TrustText.ts"

export const list = Command.make("list", {}, () =>
  withHeaders(
    Effect.gen(function* () {
      const output = yield* Output
      const { cwd } = yield* Settings
      const { TrustStore } = yield* Effect.promise(() => import("@letterhead/core/trust/TrustStore"))
      const approvals = yield* (yield* TrustStore).list
      if (output.json) return yield* output.document({ approvals: approvals.map(describe) })
      if (approvals.length === 0) return yield* output.print("Nothing is approved.")
      return yield* output.print(
        render(
          {
            columns: ["server", "approved", "what", "configuration"],
            rows: approvals.map((approval) => [
              printableLine(approval.subject.server),
              time(approval),
              summary(approval),
              shortened(approval.subject.configuration, cwd)
            ])
          },
          output
        )
      )
    })
  )
).pipe(Command.withDescription("List what was approved"))

/** The first program it runs, else the first thing it does. */
const summary = ({ subject: { lines } }: Approval): string => {
  const line = lines.find(([label]) => label.endsWith("runs")) ?? lines[0]
  return line === undefined ? "" : printableLine(line.join(" "))
}

const time = (approval: Approval): string => new Date(approval.approvedAt).toISOString()

const describe = (approval: Approval) => ({
  server: approval.subject.server,
  scope: approval.subject.scope,
  configuration: approval.subject.configuration,
  digest: approval.subject.digest,
  approvedAt: time(approval),
  passEnv: approval.passEnv,
  subject: linesOf(approval.subject),
  files: approval.subject.files
})
