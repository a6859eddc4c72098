/**
 * The headers of a call with where each comes from and why, as a person reads them.
 *
 * Without a terminal, and where there is room, a line for each header. On a narrower terminal what concerns the origin
 * of a header stands in lines of its own beside it, and the path within a document is left out where a line is known.
 */
import type { Provenance } from "@letterhead/core/headers/ResolvedHeaders"
import { whyOf } from "../ExplainedHeader.ts"
import { mask } from "../MaskedValue.ts"
import { printableLine, shortened } from "./Printable.ts"
import { render, type TableOptions, widthOf } from "./Table.ts"

export interface HeaderTableOptions extends TableOptions {
  /** Absolute folder that paths are shown relative to. */
  readonly cwd: string
}

export const renderHeaders = (headers: ReadonlyArray<Provenance>, options: HeaderTableOptions): string => {
  const wide = {
    columns: [...BEGIN, "declared", "shadowed", "why"],
    rows: headers.map((field) => [
      ...begin(field),
      place(field, options),
      shadowsOf(field, options).join("; "),
      whyOf(field)
    ])
  }
  if (options.width === undefined || widthOf(wide) <= options.width) return render(wide, options)
  const rows = headers.map((field) => [
    ...begin(field),
    [
      withoutPath(place(field, options)),
      whyOf(field),
      ...shadowsOf(field, options).map((shadow) => `shadows ${withoutPath(shadow)}`)
    ].join("\n")
  ])
  return render({ columns: [...BEGIN, "declared, and why"], rows, wrapLast: true }, options)
}

const BEGIN = ["header", "value", "source"] as const

const begin = (field: Provenance): ReadonlyArray<string> => [
  printableLine(field.name),
  field.value === undefined ? "not sent" : mask(field.value),
  field.source
]

const place = ({ declared }: { readonly declared: string }, { cwd }: HeaderTableOptions): string =>
  shortened(declared, cwd)

const shadowsOf = (field: Provenance, options: HeaderTableOptions): ReadonlyArray<string> =>
  field.shadowed.map((shadow) => `${shadow.source} ${place(shadow, options)}`)

/** `file:line:column (path)` without the path. */
const withoutPath = (declared: string): string => declared.replace(/(:\d+:\d+) \([^()]*\)$/, "$1")
