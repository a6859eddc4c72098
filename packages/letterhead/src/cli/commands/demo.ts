/**
 * `letterhead demo`: the whole way of a call, on this machine, with nothing to set up.
 *
 * Starts two loopback MCP servers and a helper in a temporary folder, and shows for each call what was sent, where it
 * came from, and what the server received. Touches no configuration, no network and no approvals of the person.
 *
 * `--json`: `{ approvals: [{ server, digest, lines }], calls: [{ user, session, server, era, attempts, headers: [{
 * name, value, source, declared, shadowed, received }] }], renewal: { call, helperRuns }, totals: { calls,
 * connections, helperRuns, crossed } }`; `value` is the mask.
 */
import type { TrustSubject } from "@letterhead/core/trust/TrustSubject"
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import type { DemoCall, DemoHeader, DemoTotals } from "../demo/DemoReport.ts"
import type { Narrator, Renewal } from "../demo/DemoScene.ts"
import { Output } from "../Output.ts"
import { shortened } from "../Printable.ts"
import { withProgress } from "../Progress.ts"
import { render } from "../Table.ts"

export const demo = Command.make("demo", {}, () =>
  Effect.gen(function* () {
    const output = yield* Output
    const { play } = yield* Effect.promise(() => import("../demo/DemoScene.ts"))
    const seen: Seen = { approvals: [], calls: [], renewals: [] }
    const totals = yield* play(output.json ? collect(seen) : narrate(output)).pipe(withProgress("playing the demo"))
    if (output.json) {
      yield* output.document({ approvals: seen.approvals, calls: seen.calls, renewal: seen.renewals[0], totals })
    } else {
      yield* output.print(`\n${summary(totals)}`)
    }
    return yield* totals.crossed === 0
      ? Effect.void
      : Effect.die(new Error(`${totals.crossed} requests arrived with another call's headers`))
  })
).pipe(Command.withDescription("See it work: two users, three sessions and two servers on this machine"))

interface Seen {
  readonly approvals: Array<{ server: string; digest: string; lines: TrustSubject["lines"] }>
  readonly calls: Array<DemoCall>
  readonly renewals: Array<Renewal>
}

const collect = (seen: Seen): Narrator => ({
  opened: () => Effect.void,
  approved: ({ digest, lines, server }) => Effect.sync(() => void seen.approvals.push({ server, digest, lines })),
  called: (calls) => Effect.sync(() => void seen.calls.push(...calls)),
  renewed: (renewal) => Effect.sync(() => void seen.renewals.push(renewal))
})

const narrate = (output: Output["Service"]): Narrator => {
  let folder = ""
  const title = (text: string) => output.print(`\n${output.style.bold(text)}`)
  const table = (calls: ReadonlyArray<DemoCall>) =>
    Effect.forEach(calls, (call) =>
      output.print(
        `\n${callLine(call)}\n${render(
          {
            columns: ["  header", "value", "source", "declared", "shadowed", "server received"],
            rows: call.headers.map((header) => headerRow(header, folder))
          },
          output
        )}`
      )
    )
  return {
    opened: (servers, project) =>
      Effect.suspend(() => {
        folder = project
        return output.print(
          [
            `Two MCP servers are listening: ${servers.map(({ name, url }) => `${name} on ${url}`).join(", ")}.`,
            `A project in ${project} names them, a helper and a hook.`,
            "Its files are somebody else's, so nothing of it runs before it is approved:"
          ].join("\n")
        )
      }),
    approved: (subject) =>
      output.print(
        [
          `\n${output.style.green("approved")} ${output.style.bold(subject.server)} ${subject.digest}`,
          ...subject.lines.map(([label, value]) => `  ${label}: ${shortened(value, folder)}`)
        ].join("\n")
      ),
    called: (calls) =>
      Effect.andThen(
        title("Three sessions of two users call both servers at once; ada's two sessions share her connections."),
        table(calls)
      ),
    renewed: ({ call, helperRuns }) =>
      Effect.andThen(
        title(
          `The token has expired. ${call.user} calls "${call.server}" again: refused once, ` +
            `${helperRuns} more helper run${helperRuns === 1 ? "" : "s"}, answered.`
        ),
        table([call])
      )
  }
}

const callLine = (call: DemoCall): string =>
  `${call.user}, session ${call.session} → ${call.server} (${call.era})` +
  (call.attempts > 1 ? `, sent ${call.attempts} times` : "")

const headerRow = (header: DemoHeader, folder: string): ReadonlyArray<string> => [
  `  ${header.name}`,
  header.value,
  header.source,
  brief(header.declared, folder),
  header.shadowed.map(({ source, declared }) => `${source} ${brief(declared, folder)}`).join("; "),
  header.received === "the same" ? "✓ the same" : `✗ ${header.received}`
]

/** A declaration without the path within the document, which the header's own name repeats. */
const brief = (declared: string, folder: string): string =>
  shortened(declared, folder)
    .replace(/^.* · /, "")
    .replace(/ \([^)]*\)$/, "")

const summary = (totals: DemoTotals): string =>
  `calls: ${totals.calls} · connections: ${totals.connections} · helper runs: ${totals.helperRuns} · ` +
  `crossed headers: ${totals.crossed}`
