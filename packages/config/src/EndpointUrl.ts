/**
 * What a server's URL may be: absolute, http or https, without a user name or password, so that headers go to an
 * origin the entry names in clear. Checked at load on as much of the text as is known; never quoted.
 */
import type { CheckedTemplate } from "./Interpolation.ts"

/** What is expected instead of this URL, or `undefined`. */
export const defect = ({ template, text }: CheckedTemplate): string | undefined => {
  if (text !== undefined) return textDefect(text)
  const first = template.parts[0]
  return first?._tag === "Text" ? startDefect(first.text) : undefined
}

const HTTP_URL = "an absolute http:// or https:// URL"
const NO_USER = "a URL without a user name or password; send a credential in a header"

const textDefect = (text: string): string | undefined => {
  // The URL parser would drop line breaks and tabs silently; here nothing is mended.
  if (/[\s\p{Cc}]/u.test(text)) return "a URL without blanks, line breaks or control characters"
  if (!/^https?:\/\//i.test(text) || !URL.canParse(text)) return HTTP_URL
  const url = new URL(text)
  return url.username !== "" || url.password !== "" ? NO_USER : undefined
}

/** Judges a text that something unknown follows. */
const startDefect = (start: string): string | undefined => {
  const isStart = /^https?:\/\//i.test(start) || ["http://", "https://"].some((scheme) => scheme.startsWith(start))
  if (!isStart) return HTTP_URL
  const authority = start.replace(/^[a-z]+:\/\//i, "").split(/[/?#\\]/, 1)[0] ?? ""
  return authority.includes("@") ? NO_USER : undefined
}
