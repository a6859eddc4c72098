/**
 * An address that a person's browser may be sent to.
 *
 * It comes from the metadata of a stranger's server, so it can be anything. Only `https:` is taken, and `http:` where the
 * host is this machine; an address with a name or password is refused. What is left is ASCII without blanks, quotes or
 * control characters, as the URL standard writes it, and begins with `http`: it is no option of a program, and a name
 * in another script cannot pass for a name in this one.
 */
import { SignInFailed } from "@letterhead/core/headers/HeaderError"
import * as Brand from "effect/Brand"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { isLoopback } from "../http/UrlPolicy.ts"

export type WebAddress = Brand.Branded<string, "@letterhead/oauth/signin/WebAddress">

/** Characters of an address at most. */
export const ADDRESS_LIMIT = 8_192

/** The address, or the rule that it breaks; the rule never quotes it. */
export const make = (text: string | URL): Result.Result<WebAddress, string> => {
  const url = URL.parse(String(text))
  if (url === null) return Result.fail("is not a URL")
  if (url.protocol !== "https:" && !(url.protocol === "http:" && isLoopback(url))) {
    return Result.fail("is neither https nor http to this machine")
  }
  if (url.username !== "" || url.password !== "") return Result.fail("contains a name or a password")
  if (url.href.length > ADDRESS_LIMIT) return Result.fail(`is longer than ${ADDRESS_LIMIT} characters`)
  return WRITTEN.test(url.href) ? Result.succeed(branded(url.href)) : Result.fail("contains characters that no URL has")
}

/** The address, or the failure of a sign-in that would send a person there. */
export const require = (text: string | URL): Effect.Effect<WebAddress, SignInFailed> =>
  Effect.fromResult(make(text)).pipe(
    Effect.mapError(
      (rule) =>
        new SignInFailed({
          description: `the address at which the authorization server has people sign in ${rule}; it was not opened`
        })
    )
  )

/** Visible ASCII without the quotes, blanks and brackets that the URL standard encodes. */
const WRITTEN = /^https?:\/\/[!#-;=?-~]+$/

const branded = Brand.nominal<WebAddress>()
