/** A run as Markdown: the verdicts, then what was measured. */
import { cpus } from "node:os"
import type { Verdict } from "./Bounds.ts"
import { heap, latency, perCall, processor, type Rounds } from "./Rounds.ts"
import { loadName, type Results } from "./Suite.ts"
import type { Format } from "./Task.ts"

interface Section {
  readonly title: string
  readonly header: ReadonlyArray<string>
  readonly rows: ReadonlyArray<ReadonlyArray<string>>
}

/** The machine, the verdicts and every table that has rows. */
export const report = (results: Results, verdicts: ReadonlyArray<Verdict>): string =>
  [
    `Node ${process.versions.node}, ${cpus().length} × ${cpus()[0]?.model.trim() ?? "an unknown processor"}.`,
    ...[
      verdictSection(verdicts),
      callSection("Calls, JSON", "json", results),
      callSection("Calls, event stream", "sse", results),
      figureSection("Connecting, µs (median)", ["µs"], results.connecting, [
        (rounds, name) => rounds.figure(name, latency)
      ]),
      figureSection("Sessions and servers, 32 in flight, JSON", ["µs/call", "processor µs/call"], results.flatness, [
        (rounds, name) => rounds.figure(name, perCall),
        (rounds, name) => rounds.figure(name, processor)
      ]),
      figureSection("Heap per connection", ["bytes"], results.connectionMemory, [
        (rounds, name) => rounds.figure(name, heap)
      ]),
      resolvingSection(results)
    ]
      .filter(({ rows }) => rows.length > 0)
      .map(table)
  ].join("\n\n")

const verdictSection = (verdicts: ReadonlyArray<Verdict>): Section => ({
  title: "Bounds",
  header: ["what", "bound", "measured", ""],
  rows: verdicts.map(({ claim, wanted, measured, met }) => [claim, wanted, measured, met ? "met" : "**not met**"])
})

const callSection = (title: string, format: Format, { calls }: Results): Section => {
  const at = (inFlight: number) => calls.get(loadName({ format, inFlight }))
  const [one, some, many] = [at(1), at(32), at(128)]
  const names = (some ?? one ?? many)?.names ?? []
  return {
    title,
    header: ["", "1: µs (median)", "32: µs/call", "32: calls/s", "32: processor µs/call", "128: µs/call"],
    rows: names.map((name) => {
      const together = some?.figure(name, perCall)
      return [
        name,
        number(one?.figure(name, latency)),
        number(together),
        number(together === undefined ? undefined : 1e6 / together),
        number(some?.figure(name, processor)),
        number(many?.figure(name, perCall))
      ]
    })
  }
}

const figureSection = (
  title: string,
  header: ReadonlyArray<string>,
  rounds: Rounds,
  figures: ReadonlyArray<(rounds: Rounds, name: string) => number>
): Section => ({
  title,
  header: ["", ...header],
  rows: rounds.names.map((name) => [name, ...figures.map((figure) => number(figure(rounds, name)))])
})

const resolvingSection = ({ resolving }: Results): Section => ({
  title: "Resolving alone, µs (median)",
  header: ["", "µs"],
  rows: resolving.map(({ name, microseconds }) => [name, microseconds.toFixed(2)])
})

/** A Markdown table under a heading. */
const table = ({ title, header, rows }: Section): string => {
  const rule = header.map((_, index) => (index === 0 ? "---" : "--:"))
  return [`### ${title}`, "", line(header), line(rule), ...rows.map(line)].join("\n")
}

const line = (cells: ReadonlyArray<string>): string => `| ${cells.join(" | ")} |`

const number = (value: number | undefined): string =>
  value === undefined || Number.isNaN(value) ? "" : Math.round(value).toLocaleString("en-US")
