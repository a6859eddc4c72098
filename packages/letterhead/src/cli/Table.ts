/**
 * Rows under headings, for people.
 *
 * A table that is wider than the terminal is shown as blocks instead, one per row, so that no line is cut or broken
 * in the middle. Without a terminal the width is not limited.
 */
import { displayWidth } from "effect/cli/CliOutput"
import type { Style } from "./Style.ts"

export interface Table {
  readonly columns: ReadonlyArray<string>
  readonly rows: ReadonlyArray<ReadonlyArray<string>>
}

export interface TableOptions {
  readonly style: Style
  /** Columns of the terminal; `undefined` where there is none. */
  readonly width: number | undefined
}

/** Blanks between two columns. */
const GAP = 2

export const render = (table: Table, options: TableOptions): string => {
  const widths = table.columns.map((column, index) =>
    Math.max(displayWidth(column), ...table.rows.map((row) => displayWidth(row[index] ?? "")))
  )
  const total = widths.reduce((sum, width) => sum + width, 0) + GAP * (widths.length - 1)
  if (options.width !== undefined && total > options.width) return blocks(table, options)
  const line = (cells: ReadonlyArray<string>, paint: (text: string, index: number) => string) =>
    widths
      .map((width, index) => {
        const cell = cells[index] ?? ""
        // The last column ends with its text: blanks at the end of a line serve nobody.
        const padding = index === widths.length - 1 ? 0 : width - displayWidth(cell)
        return paint(cell, index) + " ".repeat(padding)
      })
      .join(" ".repeat(GAP))
      .trimEnd()
  return [
    line(table.columns, (cell) => options.style.dim(cell)),
    ...table.rows.map((row) => line(row, (cell, index) => (index === 0 ? options.style.bold(cell) : cell)))
  ].join("\n")
}

const blocks = (table: Table, options: TableOptions): string => {
  const labels = table.columns.slice(1)
  const width = Math.max(...labels.map(displayWidth))
  return table.rows
    .map((row) =>
      [
        options.style.bold(row[0] ?? ""),
        ...labels.flatMap((label, index) => {
          const cell = row[index + 1] ?? ""
          return cell === ""
            ? []
            : [`  ${options.style.dim(label)}${" ".repeat(width - displayWidth(label) + GAP)}${cell}`]
        })
      ].join("\n")
    )
    .join("\n\n")
}
