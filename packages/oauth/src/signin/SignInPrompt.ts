/**
 * What a person is shown and asked at the terminal while they sign in, as a reference: whoever owns the terminal says how.
 *
 * This package writes to no stream. {@link text} has words for each notice; a program with a screen of its own shows the
 * parts as it likes. Each part is safe to show as it is.
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import * as ForeignText from "../http/ForeignText.ts"
import { SIGN_IN_LIMIT } from "./SignIn.ts"
import type { WebAddress } from "./WebAddress.ts"

export type SignInNotice = Data.TaggedEnum<{
  /** A browser is opened at this address, and the person may do it themselves. */
  Browser: { readonly server: string; readonly address: WebAddress }
  /** The browser could not be opened; the address was shown before. */
  BrowserMissing: { readonly server: string; readonly description: string }
  /** The person opens the address anywhere, and is asked for the one that they end at. */
  Redirect: { readonly server: string; readonly address: WebAddress; readonly redirectUri: string }
  /** What was pasted is not the answer; they are asked again. */
  RedirectRefused: { readonly server: string; readonly description: string }
  /** The person opens the address anywhere, and enters the code there. */
  Device: {
    readonly server: string
    readonly address: WebAddress
    /** The same with the code in it, where the authorization server has one. */
    readonly complete: WebAddress | undefined
    readonly userCode: string
    /** Milliseconds until the code expires. */
    readonly expiresIn: number
  }
}>

export const SignInNotice = Data.taggedEnum<SignInNotice>()

export interface SignInPrompt {
  /** Absent where nobody would see it. */
  readonly show?: (notice: SignInNotice) => Effect.Effect<void>
  /**
   * Whether a person sees what is shown; `false` where only a program is told, so that nobody is waited for whom no
   * browser asks. Default: `true`.
   */
  readonly isSeen?: boolean
  /** One line of the person's, which may be 8,192 characters long; none where they gave up. Absent without a terminal. */
  readonly ask?: (question: string) => Effect.Effect<Option.Option<Redacted.Redacted>>
}

/** Default: nobody sees anything, and nobody answers. */
export const SignInPrompt: Context.Reference<SignInPrompt> = Context.Reference<SignInPrompt>(
  "@letterhead/oauth/signin/SignInPrompt",
  { defaultValue: () => ({}) }
)

/** Whether there is a person who follows what is shown. */
export const reachesPerson = ({ isSeen = true, show }: SignInPrompt): boolean => isSeen && show !== undefined

/** A notice in words, in lines for a terminal. */
export const text = SignInNotice.$match({
  Browser: ({ address, server }) =>
    `Sign in to "${ForeignText.shown(server)}" in the browser. If none opens, open this address on this machine:\n` +
    `  ${address}\nThis waits for ${SIGN_IN_LIMIT / 60_000} minutes.`,
  BrowserMissing: ({ description, server }) =>
    `No browser was opened: ${description}. Open the address above yourself; if this machine has no browser, sign in ` +
    `with: letterhead login ${ForeignText.shown(server)} --no-browser`,
  Redirect: ({ address, redirectUri, server }) =>
    `Sign in to "${ForeignText.shown(server)}" in a browser, on any machine, at this address:\n  ${address}\n` +
    `At the end the browser goes to an address that begins with ${redirectUri} and cannot show it. Copy all of that ` +
    "address and paste it here.",
  RedirectRefused: ({ description }) => `That is not it: ${description}.`,
  Device: ({ address, complete, expiresIn, server, userCode }) =>
    `Sign in to "${ForeignText.shown(server)}" in a browser, on any machine, at this address:\n  ${address}\n` +
    `and enter this code: ${userCode}\n` +
    (complete === undefined ? "" : `Or open this address, and compare the code:\n  ${complete}\n`) +
    `The code is good for ${Math.max(1, Math.floor(expiresIn / 60_000))} minutes.`
})
