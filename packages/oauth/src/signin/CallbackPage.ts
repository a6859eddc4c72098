/**
 * The page that the browser shows at the end of a sign-in: that it can be closed, or what went wrong.
 *
 * One document without script, image or link; its content security policy allows its own style and nothing else. It is
 * not stored, and passes nothing on of the address it was asked under. Each text is escaped. It follows the light or dark
 * colours of the browser.
 */
import * as Data from "effect/Data"
import { createHash } from "node:crypto"

export type CallbackPage = Data.TaggedEnum<{
  /** The answer came, and is what was waited for. */
  Arrived: { readonly server: string }
  /** The answer came, and the sign-in ends with a failure. */
  Failed: { readonly server: string; readonly description: string }
  /** The answer came before. */
  Over: { readonly server: string }
  /** This is not the answer that is waited for. */
  Refused: { readonly description: string }
}>

export const CallbackPage = Data.taggedEnum<CallbackPage>()

export interface RenderedPage {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly html: string
}

/** The page as it is sent; `status` is for {@link CallbackPage} `Refused`. Default: 400. */
export const render = (page: CallbackPage, status = 400): RenderedPage => {
  const words = wordsOf(page)
  return { status: page._tag === "Refused" ? status : STATUS[page._tag], headers: HEADERS, html: document(words) }
}

interface Words {
  readonly title: string
  readonly lines: ReadonlyArray<string>
}

const STATUS = { Arrived: 200, Failed: 400, Over: 410 } as const

const wordsOf = CallbackPage.$match({
  Arrived: ({ server }): Words => ({
    title: "You can close this page",
    lines: [
      `The authorization server's answer for “${server}” has arrived.`,
      "Letterhead finishes the sign-in where you started it."
    ]
  }),
  Failed: ({ description, server }): Words => ({
    title: "Signing in failed",
    lines: [`You are not signed in to “${server}”: ${description}.`, "You can close this page."]
  }),
  Over: ({ server }): Words => ({
    title: "This sign-in is over",
    lines: [
      `The answer for “${server}” came before, and is used once.`,
      "You can close this page. To sign in again, start again where you started."
    ]
  }),
  Refused: ({ description }): Words => ({
    title: "This is not what is waited for",
    lines: [`The request was refused: ${description}.`, "You can close this page. A sign-in that was started goes on."]
  })
})

const STYLE =
  ":root{color-scheme:light dark;font:1.125rem/1.6 system-ui,sans-serif}" +
  "body{margin:15vh auto 0;max-width:34rem;padding:0 1.5rem;overflow-wrap:anywhere}h1{font-size:1.5rem}"

const HEADERS: Readonly<Record<string, string>> = {
  "Cache-Control": "no-store",
  Connection: "close",
  "Content-Security-Policy":
    `default-src 'none'; style-src 'sha256-${createHash("sha256").update(STYLE).digest("base64")}'; ` +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "Content-Type": "text/html; charset=utf-8",
  "Referrer-Policy": "no-referrer",
  "X-Content-Type-Options": "nosniff"
}

const document = ({ lines, title }: Words): string =>
  [
    "<!doctype html>",
    '<html lang="en">',
    '<meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width">',
    `<title>${escape(title)} · Letterhead</title>`,
    `<style>${STYLE}</style>`,
    `<h1>${escape(title)}</h1>`,
    ...lines.map((line) => `<p>${escape(line)}</p>`),
    "</html>",
    ""
  ].join("\n")

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;"
}

const escape = (text: string): string => text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? "")
