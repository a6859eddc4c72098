/**
 * Rows under headings, for people.
 *
 * A table that is wider than the terminal is shown as blocks instead, one per row, so that no line is cut or broken
 * in the middle; or, where it may, with the lines of its last column wrapped in the room that is left. Without a
 * terminal the width is not limited.
 */
import { displayWidth } from "effect/cli/CliOutput"
import type { Style } from "./Style.ts"

export interface Table {
  readonly columns: ReadonlyArray<string>
  /** Only the last cell of a row may have several lines. */
  readonly rows: ReadonlyArray<ReadonlyArray<string>>
  /** Whether the last column may be wrapped. Default false. */
  readonly wrapLast?: boolean
}

export interface TableOptions {
  readonly style: Style
  /** Columns of the terminal; `undefined` where there is none. */
  readonly width: number | undefined
}

/** Blanks between two columns. */
const GAP = 2
/** A last column that is wrapped has at least so many columns of the terminal. */
export const WRAP_MINIMUM = 30

export const render = (table: Table, options: TableOptions): string => {
  const widths = widthsOf(table)
  const total = totalOf(widths)
  const last = widths.length - 1
  const before = total - (widths[last] ?? 0)
  const excess = options.width !== undefined && total > options.width
  const room = excess ? (options.width ?? 0) - before : Number.POSITIVE_INFINITY
  if (excess && (table.wrapLast !== true || room < WRAP_MINIMUM)) return blocks(table, options)

  const row = (cells: ReadonlyArray<string>, paint: (text: string, index: number) => string) => {
    const begin = widths.slice(0, last).map((width, index) => {
      const cell = cells[index] ?? ""
      return paint(cell, index) + " ".repeat(width - displayWidth(cell) + GAP)
    })
    const [first = "", ...more] = linesOf(cells[last]).flatMap(wrapped(room))
    // The last column ends with its text: blanks at the end of a line serve nobody.
    return [
      `${begin.join("")}${paint(first, last)}`.trimEnd(),
      ...more.map((line) => " ".repeat(before) + paint(line, last))
    ].join("\n")
  }
  return [
    row(table.columns, (cell) => options.style.dim(cell)),
    ...table.rows.map((cells) => row(cells, (cell, index) => (index === 0 ? options.style.bold(cell) : cell)))
  ].join("\n")
}

/** Columns of a terminal that a table takes where nothing is wrapped. */
export const widthOf = (table: Table): number => totalOf(widthsOf(table))

const widthsOf = (table: Table): ReadonlyArray<number> =>
  table.columns.map((column, index) =>
    Math.max(displayWidth(column), ...table.rows.flatMap((row) => linesOf(row[index]).map(displayWidth)))
  )

const totalOf = (widths: ReadonlyArray<number>): number =>
  widths.reduce((sum, width) => sum + width, 0) + GAP * (widths.length - 1)

const linesOf = (cell: string | undefined): ReadonlyArray<string> => (cell ?? "").split("\n")

/** A line in parts of at most `room` columns, broken at blanks, and within a word only where it alone is too long. */
const wrapped =
  (room: number) =>
  (line: string): ReadonlyArray<string> => {
    const parts: Array<string> = []
    let part = ""
    for (const word of line.split(" ")) {
      const longer = part === "" ? word : `${part} ${word}`
      if (displayWidth(longer) <= room) {
        part = longer
        continue
      }
      if (part !== "") parts.push(part)
      part = word
      while (displayWidth(part) > room) {
        parts.push(part.slice(0, room))
        part = part.slice(room)
      }
    }
    return [...parts, part]
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
          const indent = " ".repeat(width + GAP + 2)
          return cell === ""
            ? []
            : [
                `  ${options.style.dim(label)}${" ".repeat(width - displayWidth(label) + GAP)}` +
                  cell.replaceAll("\n", `\n${indent}`)
              ]
        })
      ].join("\n")
    )
    .join("\n\n")
}
