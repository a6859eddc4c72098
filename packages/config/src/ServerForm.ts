/**
 * What an entry may say, as Schemas that several dialects put together. Each field says what it expects, in words
 * that finish the sentence "expected …"; a value is never quoted.
 */
import {
  HELPER_TIMEOUT_DEFAULT,
  HELPER_TIMEOUT_MAXIMUM,
  HELPER_TIMEOUT_MINIMUM,
  type TokenExchange
} from "@letterhead/core/server/ServerEntry"
import type { Template } from "@letterhead/core/server/Template"
import * as Schema from "effect/Schema"
import { ANY_KEY, type KnownKeys } from "./UnknownKeys.ts"

/** Milliseconds for connecting. */
export const CONNECT_TIMEOUT_MINIMUM = 100
/** Milliseconds for connecting: ten minutes. */
export const CONNECT_TIMEOUT_MAXIMUM = 600_000
/** Further attempts of a helper. */
export const RETRY_TIMES_MAXIMUM = 10
/** Milliseconds before the first further attempt, where the entry does not say. */
export const RETRY_DELAY_DEFAULT = 200
/** Milliseconds before the first further attempt. */
export const RETRY_DELAY_MAXIMUM = 60_000
/** The greatest port there is. */
const PORT_MAXIMUM = 65_535
/** Seconds that a helper's output may be kept for: 24 hours, as long as `expires` may name. */
export const CACHE_SECONDS_MAXIMUM = 86_400

const whole = (unit: string, minimum: number, maximum: number) =>
  Schema.Int.check(Schema.isBetween({ minimum, maximum })).annotate({
    expected: `a whole number of ${unit} from ${minimum} to ${maximum}`
  })

const Text = Schema.String.annotate({ expected: "a string" })

/** Texts that become arguments, paths or variables of a process, none of which can hold a NUL. */
const ProcessText = Schema.String.check(Schema.makeFilter((text) => !text.includes("\0"))).annotate({
  expected: "a string without NUL characters"
})

const NonEmptyText = Schema.String.check(
  Schema.makeFilter((text) => text.trim().length > 0 && !text.includes("\0"))
).annotate({ expected: "a string with something in it" })

const TextRecord = Schema.Record(Schema.String, Text).annotate({ expected: "an object of strings" })

const VARIABLE_NAME = "a variable name without = and NUL characters"

const Variables = Schema.Record(Schema.String, Text)
  .check(
    Schema.makeFilter((variables: Readonly<Record<string, string>>) => {
      const bad = Object.keys(variables).find((name) => name.length === 0 || /[=\0]/.test(name))
      return bad === undefined ? undefined : { path: [bad], issue: VARIABLE_NAME }
    })
  )
  .annotate({ expected: "an object of strings, by variable name" })

const COMMAND = `a command: a list of strings such as ["node", "./headers.js"], or a string for the shell`

/** A program and its arguments. */
export const Words = Schema.Array(ProcessText).check(Schema.makeFilter((words) => (words[0] ?? "").trim().length > 0))

const Command = Schema.Union([NonEmptyText, Words]).annotate({ expected: COMMAND })

const Helper = Schema.Struct({
  command: Command,
  environment: Schema.optionalKey(Variables),
  timeout: Schema.optionalKey(whole("milliseconds", HELPER_TIMEOUT_MINIMUM, HELPER_TIMEOUT_MAXIMUM)),
  retry: Schema.optionalKey(
    Schema.Struct({
      times: Schema.optionalKey(whole("attempts", 0, RETRY_TIMES_MAXIMUM)),
      delay: Schema.optionalKey(whole("milliseconds", 1, RETRY_DELAY_MAXIMUM))
    }).annotate({ expected: `an object such as { "times": 2, "delay": ${RETRY_DELAY_DEFAULT} }` })
  ),
  passEnv: Schema.optionalKey(Schema.Array(NonEmptyText).annotate({ expected: "a list of variable names" })),
  cache: Schema.optionalKey(
    Schema.Union([
      Schema.Literals(["never", "expires"]),
      Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: CACHE_SECONDS_MAXIMUM }))
    ]).annotate({ expected: `"never", "expires" or a whole number of seconds from 1 to ${CACHE_SECONDS_MAXIMUM}` })
  ),
  onFailure: Schema.optionalKey(Schema.Literals(["fail", "static"]).annotate({ expected: `"fail" or "static"` })),
  files: Schema.optionalKey(Schema.Array(NonEmptyText).annotate({ expected: "a list of file names" }))
})

const YesOrNo = Schema.Boolean.annotate({ expected: "true or false" })

/** The name of a header; its characters are checked where it is used. */
export const HeaderName = NonEmptyText.annotate({ expected: "a string with the name of a header" })

const PassthroughHeader = Schema.Struct({
  name: HeaderName,
  as: Schema.optionalKey(HeaderName),
  required: Schema.optionalKey(YesOrNo),
  credential: Schema.optionalKey(YesOrNo),
  override: Schema.optionalKey(YesOrNo)
})

/** Headers of the request that the runtime serves, let through. */
export const PassthroughHeaders = Schema.Array(
  Schema.Union([HeaderName, PassthroughHeader]).annotate({
    expected: `the name of a header, or an object such as { "name": "x-api-key", "required": true }`
  })
).annotate({ expected: "a list of header names" })

const CredentialField = Schema.Struct({
  title: Schema.optionalKey(Text),
  description: Schema.optionalKey(Text),
  type: Schema.optionalKey(
    Schema.Literals(["string", "number", "boolean", "directory", "file"]).annotate({
      expected: `"string", "number", "boolean", "directory" or "file"`
    })
  ),
  required: Schema.optionalKey(YesOrNo),
  sensitive: Schema.optionalKey(YesOrNo),
  default: Schema.optionalKey(
    Schema.Union([Schema.String, Schema.Finite, Schema.Boolean]).annotate({
      expected: "a string, a number, true or false"
    })
  ),
  headerName: Schema.optionalKey(HeaderName),
  valuePrefix: Schema.optionalKey(Text)
}).annotate({ expected: `an object such as { "headerName": "x-api-key", "sensitive": true }` })

/** Fields that a person fills in once, by name. */
export const UserConfig = Schema.Record(Schema.String, CredentialField).annotate({
  expected: "an object of fields by name"
})

/** A field that need not be there, with what an editor says of it. */
export const field = <S extends Schema.Top>(schema: S, description: string) =>
  Schema.optionalKey(schema).annotateKey({ description })

const OAuthFields = {
  clientId: Schema.optionalKey(NonEmptyText.annotate({ expected: "a string with the id of a client" })),
  clientSecret: Schema.optionalKey(NonEmptyText.annotate({ expected: "a string with a secret, or a ${VARIABLE}" })),
  callbackPort: Schema.optionalKey(whole("port", 0, PORT_MAXIMUM)),
  clientMetadataUrl: Schema.optionalKey(NonEmptyText.annotate({ expected: "a string with an https URL" }))
}

/** Asymmetric ones: a secret is not signed with. */
const SIGNING_ALGORITHMS = [
  "ES256",
  "ES384",
  "ES512",
  "PS256",
  "PS384",
  "PS512",
  "RS256",
  "RS384",
  "RS512",
  "EdDSA"
] as const

const WebUrl = NonEmptyText.annotate({ expected: "a string with an https URL" })

const Secret = NonEmptyText.annotate({ expected: "a string such as a ${VARIABLE} or a {file:path}" })

const IdentityProvider = Schema.Struct({
  issuer: WebUrl,
  tokenEndpoint: field(WebUrl, "Default: what the metadata of the issuer names."),
  clientId: NonEmptyText.annotate({ expected: "a string with the id of a client" }),
  clientSecret: Schema.optionalKey(Secret)
}).annotate({ expected: `an object such as { "issuer": "https://login.example.com", "clientId": "…" }` })

/** How somebody signs in, or by what a token is had where nobody does. */
export const OAuth = Schema.Struct({
  ...OAuthFields,
  scopes: Schema.optionalKey(Schema.Array(NonEmptyText).annotate({ expected: "a list of scopes" })),
  grant: field(
    Schema.Literals(["authorization_code", "client_credentials", "jwt_bearer", "id_jag"]).annotate({
      expected: `"authorization_code", "client_credentials", "jwt_bearer" or "id_jag"`
    }),
    "What a token is had for: a person who signs in (the default), the client itself, an assertion, or the id token of a person."
  ),
  issuer: field(WebUrl, "The only authorization server that is asked, with a grant that needs no person."),
  privateKey: field(Secret, "PKCS #8, as PEM: what the client signs with in place of a secret (private_key_jwt)."),
  signingAlgorithm: field(
    Schema.Literals(SIGNING_ALGORITHMS).annotate({ expected: `an algorithm of JWS, such as "ES256" or "RS256"` }),
    "What the private key signs by."
  ),
  assertion: field(Secret, "With jwt_bearer: a JWT, such as the identity of a workload; read for each token."),
  identityProvider: field(IdentityProvider, "With id_jag: who knows the person, and what this program is there."),
  idToken: field(Secret, "With id_jag: of the person, from the identity provider; read for each token.")
}).annotate({ expected: `an object such as { "clientId": "…", "scopes": ["read"] }` })

/** As {@link OAuth}, with scopes in one string as OAuth itself writes them: how Claude Code and OpenCode say it. */
export const OAuthOfOthers = Schema.Struct({
  ...OAuthFields,
  scope: Schema.optionalKey(Text),
  scopes: Schema.optionalKey(
    Schema.Union([Text, Schema.Array(NonEmptyText)]).annotate({ expected: "a list of scopes, or a string" })
  ),
  redirectUri: Schema.optionalKey(Text)
}).annotate({ expected: `an object such as { "clientId": "…", "callbackPort": 8080 }` })

/** Whether OAuth may be used. */
export const Auth = Schema.Literals(["auto", "oauth", "none"]).annotate({ expected: `"auto", "oauth" or "none"` })

/** The URL of a server, a template. */
export const Url = NonEmptyText.annotate({ expected: "a string with a URL" })

/** The fields that every dialect with `mcpServers` shares. */
export const fields = {
  type: field(
    Schema.Literals(["http", "streamable-http", "sse", "stdio"]).annotate({ expected: `"http", "sse" or "stdio"` }),
    "How the server is reached. Left out, with a URL: Streamable HTTP first, then SSE."
  ),
  url: field(Url, "Where the server is; may hold ${VARIABLES}."),
  headers: field(TextRecord, "Headers of every request, by name; values may hold ${VARIABLES} and {file:path}."),
  headersHelper: field(
    Schema.Union([NonEmptyText, Helper]).annotate({
      expected: `an object such as { "command": ["node", "./headers.js"], "timeout": ${HELPER_TIMEOUT_DEFAULT} }, or a command for the shell`
    }),
    "A program that prints headers as JSON, run at connect."
  ),
  command: field(
    NonEmptyText.annotate({ expected: "a string with the name of a program" }),
    "The program that is the server, in place of a URL."
  ),
  args: field(Schema.Array(ProcessText).annotate({ expected: "a list of strings" }), "The arguments of the program."),
  env: field(Variables, "Variables that are added to the environment of the program.")
}

/** Milliseconds for connecting. */
export const ConnectTimeout = whole("milliseconds", CONNECT_TIMEOUT_MINIMUM, CONNECT_TIMEOUT_MAXIMUM)

/** Names of things that are listed: hook modules, scopes. */
export const Names = Schema.Array(NonEmptyText)

const Form = Schema.Struct({
  ...fields,
  timeout: Schema.optionalKey(ConnectTimeout),
  passthroughHeaders: Schema.optionalKey(PassthroughHeaders),
  userConfig: Schema.optionalKey(UserConfig),
  auth: Schema.optionalKey(Auth),
  oauth: Schema.optionalKey(OAuth)
})

/** An entry as a dialect's schema leaves it, in no dialect any more. A value that is a template already is not read. */
export interface ServerForm extends Omit<typeof Form.Type, "headers" | "oauth"> {
  readonly headers?: Readonly<Record<string, string | Template>>
  readonly oauth?: OAuthForm
}

export type PassthroughForm = NonNullable<ServerForm["passthroughHeaders"]>

export type UserConfigForm = NonNullable<ServerForm["userConfig"]>

export type HelperForm = typeof Helper.Type

export interface OAuthForm extends Omit<typeof OAuth.Type, "clientId" | "clientSecret"> {
  readonly clientId?: string | Template
  readonly clientSecret?: string | Template
  readonly exchange?: TokenExchange
}

/** The keys of {@link fields}, and of the objects under them. */
export const knownKeys: KnownKeys = {
  type: true,
  url: true,
  headers: true,
  headersHelper: {
    command: true,
    environment: true,
    timeout: true,
    retry: { times: true, delay: true },
    passEnv: true,
    cache: true,
    onFailure: true,
    files: true
  },
  command: true,
  args: true,
  env: true
}

export const passthroughKeys: KnownKeys = {
  [ANY_KEY]: { name: true, as: true, required: true, credential: true, override: true }
}

export const userConfigKeys: KnownKeys = {
  [ANY_KEY]: {
    title: true,
    description: true,
    type: true,
    required: true,
    sensitive: true,
    default: true,
    headerName: true,
    valuePrefix: true
  }
}

/** How somebody signs in, as other dialects say it too. */
export const signInKeys: KnownKeys = {
  clientId: true,
  clientSecret: true,
  scopes: true,
  callbackPort: true,
  clientMetadataUrl: true
}

export const oauthKeys: KnownKeys = {
  ...signInKeys,
  grant: true,
  issuer: true,
  privateKey: true,
  signingAlgorithm: true,
  assertion: true,
  identityProvider: { issuer: true, tokenEndpoint: true, clientId: true, clientSecret: true },
  idToken: true
}

/** What a dialect expects an entry to be. */
export const ENTRY = `an object with "url" or "command"`
