/**
 * Makes the settings of a sign-in: what would be refused by any authorization server is refused at load.
 *
 * A client secret without a client is a mistake, since nobody would know whose it is. A client id metadata document is
 * at an https URL with a path, says its specification, and has neither a fragment nor a user in it.
 */
import { ValueInvalid, type VariableUnset } from "@letterhead/core/server/ConfigError"
import type { OAuthSettings } from "@letterhead/core/server/ServerEntry"
import type { Template } from "@letterhead/core/server/Template"
import * as Result from "effect/Result"
import type { EntryContext } from "./EntryContext.ts"
import * as GrantDecoder from "./GrantDecoder.ts"
import * as Interpolation from "./Interpolation.ts"
import type { OAuthForm } from "./ServerForm.ts"

export const decode = (
  written: OAuthForm,
  context: EntryContext
): Result.Result<OAuthSettings, ValueInvalid | VariableUnset> =>
  Result.gen(function* () {
    const at = (...keys: ReadonlyArray<string | number>) => context.locate(["oauth", ...keys])
    const invalid = (expected: string, ...keys: ReadonlyArray<string | number>) =>
      Result.fail(new ValueInvalid({ place: context.document.place(at(...keys)), expected }))
    const { callbackPort, clientId, clientMetadataUrl, clientSecret, exchange, scopes } = written
    const template = (key: "clientId" | "clientSecret", source: string | Template) =>
      Result.map(Interpolation.check(source, { ...context, path: at(key) }), (checked) => checked.template)
    if (clientSecret !== undefined && clientId === undefined) {
      return yield* invalid(`"clientId" beside it: a secret is that of a client`, "clientSecret")
    }
    if (clientId !== undefined && clientMetadataUrl !== undefined) {
      return yield* invalid(`"clientId" or this, and not both: either is the id of the client`, "clientMetadataUrl")
    }
    if (clientMetadataUrl !== undefined && !isMetadataUrl(clientMetadataUrl)) {
      return yield* invalid("an https URL with a path, and without user and fragment", "clientMetadataUrl")
    }
    const grant = yield* GrantDecoder.decode(written, context)
    const bad = (scopes ?? []).findIndex((scope) => !SCOPE.test(scope))
    if (bad >= 0) return yield* invalid("a scope: visible ASCII without blanks, quotes and backslashes", "scopes", bad)
    return {
      ...(clientId === undefined ? {} : { clientId: yield* template("clientId", clientId) }),
      ...(clientSecret === undefined ? {} : { clientSecret: yield* template("clientSecret", clientSecret) }),
      ...(scopes === undefined || scopes.length === 0 ? {} : { scopes }),
      ...(callbackPort === undefined ? {} : { callbackPort }),
      ...(clientMetadataUrl === undefined ? {} : { clientMetadataUrl }),
      ...(exchange === undefined ? {} : { exchange }),
      ...(grant === undefined ? {} : { grant }),
      place: context.document.place(at(), "key")
    }
  })

/** RFC 6749, section 3.3. */
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]+$/

const isMetadataUrl = (text: string): boolean => {
  if (!URL.canParse(text)) return false
  const url = new URL(text)
  return (
    url.protocol === "https:" && url.pathname !== "/" && url.hash === "" && url.username === "" && url.password === ""
  )
}
