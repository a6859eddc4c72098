/**
 * Makes the grant of an entry where nobody signs in: which one it is, what it needs, and nothing that belongs to another.
 *
 * All of it is refused at load, since an authorization server would say less of what is wrong.
 */
import { ValueInvalid, type VariableUnset } from "@letterhead/core/server/ConfigError"
import type { Grant } from "@letterhead/core/server/ServerEntry"
import type { Template } from "@letterhead/core/server/Template"
import * as Result from "effect/Result"
import type { EntryContext } from "./EntryContext.ts"
import * as Interpolation from "./Interpolation.ts"
import type { OAuthForm } from "./ServerForm.ts"

type Problem = ValueInvalid | VariableUnset
type Name = NonNullable<OAuthForm["grant"]>

/** The grant; `undefined` where a person signs in. */
export const decode = (written: OAuthForm, context: EntryContext): Result.Result<Grant | undefined, Problem> =>
  Result.gen(function* () {
    const refuse = refusing(context)
    const template = reading(context)
    const type = written.grant ?? "authorization_code"
    for (const [field, grants] of BELONGS) {
      if (written[field] === undefined || grants.includes(type)) continue
      const others = grants.map((grant) => `"${grant}"`).join(" or ")
      const remedy = `say that in "grant", or remove this`
      return yield* refuse([field], `this with the grant ${others} only, and not with "${type}"`, remedy)
    }
    if (type === "authorization_code") return undefined

    const needs = (expected: string, remedy: string) => refuse(["grant"], `${expected} beside "${type}"`, remedy)
    const { assertion, clientId, clientSecret, idToken, identityProvider, issuer, privateKey, signingAlgorithm } =
      written
    if (clientId === undefined) return yield* needs(`"clientId"`, "add the id that the client was registered with")
    if (clientSecret !== undefined && privateKey !== undefined) {
      return yield* refuse(
        ["privateKey"],
        `"clientSecret" or this, and not both`,
        "keep what the client was registered with"
      )
    }
    if (privateKey === undefined && signingAlgorithm !== undefined) {
      return yield* refuse(["signingAlgorithm"], `"privateKey" beside it`, "add the key, or remove this")
    }
    if (privateKey !== undefined && signingAlgorithm === undefined) {
      const remedy = `add what the key is for, such as "signingAlgorithm": "ES256"`
      return yield* refuse(["privateKey"], `"signingAlgorithm" beside it`, remedy)
    }
    if (issuer !== undefined && !isWebUrl(issuer)) return yield* refuse(["issuer"], WEB_URL, URL_REMEDY)
    const common = {
      ...(privateKey === undefined || signingAlgorithm === undefined
        ? {}
        : { key: { privateKey: yield* template(privateKey, "privateKey"), algorithm: signingAlgorithm } }),
      ...(issuer === undefined ? {} : { issuer })
    }
    if (type === "client_credentials") {
      return clientSecret === undefined && privateKey === undefined
        ? yield* needs(`"clientSecret" or "privateKey"`, "add what the client proves itself with")
        : { type, ...common }
    }
    if (type === "jwt_bearer") {
      return assertion === undefined
        ? yield* needs(`"assertion"`, `add the JWT, such as "assertion": "{file:/var/run/secrets/token}"`)
        : { type, ...common, assertion: yield* template(assertion, "assertion") }
    }
    if (identityProvider === undefined) {
      const remedy = `add who knows the person, such as "identityProvider": { "issuer": "https://…", "clientId": "…" }`
      return yield* needs(`"identityProvider"`, remedy)
    }
    if (idToken === undefined) return yield* needs(`"idToken"`, "add what the identity provider gave the person")
    for (const key of ["issuer", "tokenEndpoint"] as const) {
      const url = identityProvider[key]
      if (url !== undefined && !isWebUrl(url)) return yield* refuse(["identityProvider", key], WEB_URL, URL_REMEDY)
    }
    const { tokenEndpoint } = identityProvider
    return {
      type,
      ...common,
      idToken: yield* template(idToken, "idToken"),
      identityProvider: {
        issuer: identityProvider.issuer,
        ...(tokenEndpoint === undefined ? {} : { tokenEndpoint }),
        clientId: yield* template(identityProvider.clientId, "identityProvider", "clientId"),
        ...(identityProvider.clientSecret === undefined
          ? {}
          : { clientSecret: yield* template(identityProvider.clientSecret, "identityProvider", "clientSecret") })
      }
    }
  })

/** Refuses what stands at a key of `oauth`. */
const refusing =
  ({ document, locate }: EntryContext) =>
  (keys: ReadonlyArray<string>, expected: string, remedy: string) =>
    Result.fail(new ValueInvalid({ place: document.place(locate(["oauth", ...keys])), expected, remedy }))

/** Reads the template at a key of `oauth`. */
const reading =
  (context: EntryContext) =>
  (source: string | Template, ...keys: ReadonlyArray<string>): Result.Result<Template, Problem> =>
    Result.map(
      Interpolation.check(source, { ...context, path: context.locate(["oauth", ...keys]) }),
      (checked) => checked.template
    )

const WITHOUT_PERSON: ReadonlyArray<Name> = ["client_credentials", "jwt_bearer", "id_jag"]

/** The grants that a field belongs to; what is not listed belongs to all. */
const BELONGS: ReadonlyArray<readonly [field: keyof OAuthForm, grants: ReadonlyArray<Name>]> = [
  ["callbackPort", ["authorization_code"]],
  ["clientMetadataUrl", ["authorization_code"]],
  ["issuer", WITHOUT_PERSON],
  ["privateKey", WITHOUT_PERSON],
  ["signingAlgorithm", WITHOUT_PERSON],
  ["assertion", ["jwt_bearer"]],
  ["identityProvider", ["id_jag"]],
  ["idToken", ["id_jag"]]
]

const WEB_URL = "an https URL without user, query and fragment"
const URL_REMEDY = "write it as the authorization server itself does; http is for this machine alone"

const isWebUrl = (text: string): boolean => {
  const url = URL.parse(text)
  if (url === null || url.username !== "" || url.password !== "" || /[?#\s]/.test(text)) return false
  return url.protocol === "https:" || (url.protocol === "http:" && LOOPBACK.test(url.hostname))
}

const LOOPBACK = /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/
