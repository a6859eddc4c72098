/** Colours and weights for a stream: escapes where it is a terminal that wants them, else nothing. */

export interface Style {
  readonly bold: (text: string) => string
  readonly dim: (text: string) => string
  readonly red: (text: string) => string
  readonly yellow: (text: string) => string
  readonly green: (text: string) => string
}

const plainText = (text: string) => text

/** For a file, a pipe, a dumb terminal, and whoever set NO_COLOR. */
export const plain: Style = { bold: plainText, dim: plainText, red: plainText, yellow: plainText, green: plainText }

const wrap = (open: number, close: number) => (text: string) =>
  text.length === 0 ? text : `\u001b[${open}m${text}\u001b[${close}m`

export const coloured: Style = {
  bold: wrap(1, 22),
  dim: wrap(2, 22),
  red: wrap(31, 39),
  yellow: wrap(33, 39),
  green: wrap(32, 39)
}
