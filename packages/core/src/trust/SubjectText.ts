/**
 * How what would run or be sent is shown to the person who approves it.
 *
 * Guarantees one line per fact that a terminal shows as it is: control characters and those that change the direction
 * of text are written as escapes, and arguments are quoted so that where one ends is seen. Text that may be a secret
 * (of a header, of an environment variable with a credential-like name, of a URL's query or user) is masked; which
 * variables and files go in is always shown, since that is what is approved. Masking is for the eye alone: digests
 * cover what was written.
 */
import type { Template, TemplatePart } from "../server/Template.ts"

/** What stands in place of text that may be a secret. */
export const MASK = "•••"

/** Text that no terminal takes for a command: control, direction and invisible characters are escaped. */
export const printable = (text: string): string =>
  text.replace(UNPRINTABLE, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`)

/** A command as it would be typed. */
export const commandLine = (words: ReadonlyArray<string>): string => words.map(quoted).join(" ")

/** A template as it was written. */
export const shown = (template: Template): string => printable(template.source)

/** A template with its own text masked; the variables and files that go in stay. */
export const masked = (template: Template): string => template.parts.map(maskedPart).join("")

const maskedPart = (part: TemplatePart): string => {
  if (part._tag === "File") return printable(`{file:${part.path}}`)
  if (part._tag === "Variable") return `\${${part.name}${part.fallback === undefined ? "" : `:-${MASK}`}}`
  return part.text.trim().length === 0 ? part.text : (SCHEME.exec(part.text)?.[0] ?? MASK)
}

/** A URL template with its user and the values of its query masked. */
export const maskedUrl = (template: Template): string =>
  printable(
    template.source
      .replace(USER, (_, user: string) => `//${maskedText(user)}@`)
      .replace(QUERY_VALUE, (_, name: string, value: string) => name + maskedText(value))
  )

/** Text without a template's parts at hand: what is a reference stays. */
const maskedText = (text: string): string => {
  const references = (text.match(REFERENCE) ?? []).join("")
  return references === text ? text : MASK + references
}

/** Controls, marks of direction and other invisible characters, separators of lines, lone surrogates. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu
/** An authorization scheme that is not itself a secret, with the blank after it and nothing else. */
const SCHEME = /^(?:Bearer|Basic|Token|token) +$/
const USER = /\/\/([^/?#]*)@/
const QUERY_VALUE = /([?&][^=&#?]*=)([^&#]*)/g
const REFERENCE = /\$\{[A-Za-z_]\w*\}|\{(?:env|file):[^}]*\}/g
const PLAIN_WORD = /^[A-Za-z0-9_@%+=:,./-]+$/

const quoted = (word: string): string =>
  PLAIN_WORD.test(word) ? word : `'${printable(word).replaceAll("'", String.raw`'\''`)}'`
