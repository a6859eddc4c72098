/**
 * Text from elsewhere, made safe to show on a terminal.
 *
 * A tool's description, a command from a project's file or an answer can hold control characters that move the cursor
 * or change what an approval seems to say, and marks that reverse the reading order. They are shown as escapes.
 */

/** Control characters but tab and line feed, and characters that are invisible or change the direction of text. */
// oxlint-disable-next-line no-control-regex -- finding control characters is the point
const UNSAFE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g

const escape = (character: string): string => `\\u{${character.charCodeAt(0).toString(16)}}`

/** Several lines: tabs and line feeds stay. */
export const printable = (text: string): string => text.replaceAll("\r\n", "\n").replace(UNSAFE, escape)

/** One line: line feeds and tabs are shown as escapes too. */
export const printableLine = (text: string): string => printable(text).replaceAll("\n", "\\n").replaceAll("\t", "\\t")

/** The first line of a text, for a list. */
export const firstLine = (text: string): string => printableLine(text.trim().split("\n", 1)[0] ?? "")

/** Leaves out the folder the person stands in, wherever a text names a file below it; `--json` has paths whole. */
export const shortened = (text: string, directory: string): string =>
  printableLine(directory === "/" ? text : text.replaceAll(`${directory}/`, "./"))
