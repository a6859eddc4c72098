/**
 * How a vMCP file says that a backend is authenticated: a strategy of its own under `outgoingAuth.backends`, else the
 * `default`, else what `outgoingAuth` itself says with a bare `type`; and `passthroughHeaders` beside it.
 */
import { foldIncoming } from "@letterhead/core/call/IncomingHeaders"
import { type ConfigErrorReason, ValueInvalid } from "@letterhead/core/server/ConfigError"
import type { ConfigWarning } from "@letterhead/core/server/McpConfig"
import * as Template from "@letterhead/core/server/Template"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { type Document, type DocumentPath, showKey } from "../Document.ts"
import * as SchemaDecoder from "../SchemaDecoder.ts"
import * as ServerForm from "../ServerForm.ts"

/** What holds for every backend. */
export interface Shared {
  readonly passthrough: ReadonlyArray<Listed>
}

/** A header that is let through, and where that is written. */
interface Listed {
  readonly header: { readonly name: string; readonly credential: boolean }
  readonly path: DocumentPath
}

export interface BackendAuth {
  /** How the token of whoever calls is exchanged, where that is the strategy. */
  readonly oauth?: ServerForm.ServerForm["oauth"]
  readonly headers: Readonly<Record<string, Template.Template>>
  readonly passthrough: ReadonlyArray<Listed>
  readonly warnings: ReadonlyArray<ConfigWarning>
  /** Where a part of the form was written, if it comes from here. */
  readonly locate: (path: DocumentPath) => DocumentPath | undefined
}

export const decodeShared = (document: Document): Result.Result<Shared, ConfigErrorReason> => {
  const at = ["passthroughHeaders"]
  if (document.node(at) === undefined) return Result.succeed({ passthrough: [] })
  return Result.map(decodeNames(document, at), (names) => ({ passthrough: listed(names, at) }))
}

/** The authentication of one backend; fails where it cannot be done here. */
export const decode = (
  document: Document,
  backend: string,
  shared: Shared
): Result.Result<BackendAuth, ConfigErrorReason> =>
  Result.gen(function* () {
    const at = strategyOf(document, backend)
    if (at === undefined) {
      if (document.value(["outgoingAuth", "source"]) === "discovered") {
        return yield* Result.fail(
          new ValueInvalid({
            place: document.place(["outgoingAuth", "source"]),
            expected: `"inline": what is discovered in Kubernetes is not known here`,
            remedy: `write the strategy of ${showKey(backend)} under "backends"`
          })
        )
      }
      return result(document, shared.passthrough)
    }
    const { type } = yield* decodeType(document, at)
    if (type === "header_passthrough") {
      const { headers } = yield* decodePassthrough(document, [...at, "headerPassthrough"])
      const own = listed(headers, [...at, "headerPassthrough", "headers"])
      const names = new Set(own.map(({ header }) => foldIncoming(header.name)))
      return result(document, [
        ...own,
        ...shared.passthrough.filter(({ header }) => !names.has(foldIncoming(header.name)))
      ])
    }
    if (type === "token_exchange") return yield* exchanging(document, shared, [...at, "tokenExchange"])
    return result(
      document,
      shared.passthrough,
      type === "header_injection" ? yield* injected(document, [...at, "headerInjection"]) : undefined
    )
  })

/** A header that the file itself gives a value. */
interface Injection {
  readonly headers: BackendAuth["headers"]
  /** Where the value is written. */
  readonly path: DocumentPath
}

const injected = (document: Document, path: DocumentPath): Result.Result<Injection, ConfigErrorReason> =>
  Result.flatMap(decodeInjection(document, path), ({ headerName, headerValue, headerValueEnv }) => {
    if (headerValue !== undefined && headerValueEnv === undefined) {
      return Result.succeed({
        headers: { [headerName]: Template.literal(headerValue) },
        path: [...path, "headerValue"]
      })
    }
    if (headerValue === undefined && headerValueEnv !== undefined) {
      return Result.succeed({
        headers: { [headerName]: variableOf(headerValueEnv) },
        path: [...path, "headerValueEnv"]
      })
    }
    return Result.fail(
      new ValueInvalid({
        place: document.place(path, "key"),
        expected: `"headerValue" or "headerValueEnv", and not both`
      })
    )
  })

/** As there, the URL of the token endpoint and the kind of token are plain text, and the secret may be a variable. */
const exchanging = (
  document: Document,
  shared: Shared,
  path: DocumentPath
): Result.Result<BackendAuth, ConfigErrorReason> =>
  Result.gen(function* () {
    const written = yield* decodeExchange(document, path)
    const { audience, clientId, clientSecret, clientSecretEnv, scopes, subjectTokenType, tokenUrl } = written
    if (clientSecret !== undefined && clientSecretEnv !== undefined) {
      return yield* Result.fail(
        new ValueInvalid({
          place: document.place(path, "key"),
          expected: `"clientSecret" or "clientSecretEnv", and not both`
        })
      )
    }
    const variable = clientSecretEnv === undefined ? undefined : variableOf(clientSecretEnv)
    const secret = variable ?? (clientSecret === undefined ? undefined : Template.literal(clientSecret))
    const { locate, ...rest } = result(document, shared.passthrough)
    return {
      ...rest,
      oauth: {
        ...(clientId === undefined ? {} : { clientId: Template.literal(clientId) }),
        ...(secret === undefined ? {} : { clientSecret: secret }),
        ...(scopes === undefined ? {} : { scopes }),
        exchange: {
          tokenUrl,
          ...(audience === undefined ? {} : { audience }),
          ...(subjectTokenType === undefined ? {} : { subjectTokenType: TOKEN_TYPES[subjectTokenType] })
        }
      },
      locate: ([first, ...keys]) => {
        if (first === "auth") return path
        if (first !== "oauth") return locate([...(first === undefined ? [] : [first]), ...keys])
        return [...path, ...keys.filter((key) => key !== "exchange")].map((key) =>
          key === "clientSecret" && clientSecretEnv !== undefined ? "clientSecretEnv" : key
        )
      }
    }
  })

/** Both spellings that ToolHive takes. */
const TOKEN_TYPES = {
  access_token: "urn:ietf:params:oauth:token-type:access_token",
  id_token: "urn:ietf:params:oauth:token-type:id_token",
  jwt: "urn:ietf:params:oauth:token-type:jwt",
  "urn:ietf:params:oauth:token-type:access_token": "urn:ietf:params:oauth:token-type:access_token",
  "urn:ietf:params:oauth:token-type:id_token": "urn:ietf:params:oauth:token-type:id_token",
  "urn:ietf:params:oauth:token-type:jwt": "urn:ietf:params:oauth:token-type:jwt"
} as const

const variableOf = (name: string): Template.Template => ({
  source: `\${${name}}`,
  parts: [{ _tag: "Variable", name }]
})

/** Where the strategy of a backend is written. */
const strategyOf = (document: Document, backend: string): DocumentPath | undefined =>
  [["outgoingAuth", "backends", backend], ["outgoingAuth", "default"], ["outgoingAuth"]].find((path, index) =>
    index < 2 ? isThere(document, path) : document.node([...path, "type"]) !== undefined
  )

/** An empty strategy (`default:` and nothing after it) is none. */
const isThere = (document: Document, path: DocumentPath): boolean => {
  const node = document.node(path)
  return node !== undefined && !(node.kind === "scalar" && node.value === null)
}

const result = (document: Document, passthrough: ReadonlyArray<Listed>, injection?: Injection): BackendAuth => ({
  headers: injection?.headers ?? {},
  passthrough,
  warnings: passthrough.flatMap(({ header, path }) =>
    header.credential
      ? [
          {
            place: document.place(path),
            message:
              `${showKey(header.name)} of whoever calls is let through to every server that this applies to; ` +
              "make sure that each of them may have it"
          }
        ]
      : []
  ),
  locate: ([first, index]) => {
    if (first === "headers") return injection?.path
    if (first !== "passthroughHeaders") return undefined
    return typeof index === "number" ? passthrough[index]?.path : passthrough[0]?.path.slice(0, -1)
  }
})

/** Names that may be listed here without saying that they carry a credential. */
const CREDENTIALS: ReadonlySet<string> = new Set(["authorization", "cookie"])

const listed = (names: ReadonlyArray<string>, at: DocumentPath): ReadonlyArray<Listed> =>
  names.map((name, index) => ({
    header: { name, credential: CREDENTIALS.has(foldIncoming(name)) },
    path: [...at, index]
  }))

const HeaderNames = ServerForm.Names.annotate({ expected: "a list of header names" })

const decodeNames = SchemaDecoder.make(HeaderNames)

const decodeType = SchemaDecoder.make(
  Schema.Struct({
    type: Schema.Literals(["unauthenticated", "header_injection", "header_passthrough", "token_exchange"]).annotate({
      expected:
        `"unauthenticated", "header_injection", "header_passthrough" or "token_exchange"; ` +
        "no other strategy is supported"
    })
  }).annotate({ expected: `an object with "type"` })
)

const decodePassthrough = SchemaDecoder.make(
  Schema.Struct({ headers: HeaderNames }).annotate({ expected: `an object with "headers"` })
)

const VariableName = Schema.String.check(Schema.isPattern(/^[A-Za-z_][A-Za-z0-9_]*$/)).annotate({
  expected: "the name of a variable: letters, digits and underscores"
})

const decodeInjection = SchemaDecoder.make(
  Schema.Struct({
    headerName: ServerForm.HeaderName,
    headerValue: Schema.optionalKey(Schema.String.annotate({ expected: "a string" })),
    headerValueEnv: Schema.optionalKey(VariableName)
  }).annotate({ expected: `an object with "headerName" and "headerValue" or "headerValueEnv"` })
)

const decodeExchange = SchemaDecoder.make(
  Schema.Struct({
    tokenUrl: ServerForm.Url.check(Schema.makeFilter((text) => URL.canParse(text))).annotate({
      expected: "the URL of a token endpoint"
    }),
    clientId: Schema.optionalKey(Schema.String.annotate({ expected: "a string" })),
    clientSecret: Schema.optionalKey(Schema.String.annotate({ expected: "a string" })),
    clientSecretEnv: Schema.optionalKey(VariableName),
    audience: Schema.optionalKey(Schema.String.annotate({ expected: "a string" })),
    scopes: Schema.optionalKey(ServerForm.Names.annotate({ expected: "a list of scopes" })),
    subjectTokenType: Schema.optionalKey(
      Schema.Literals([
        "access_token",
        "id_token",
        "jwt",
        "urn:ietf:params:oauth:token-type:access_token",
        "urn:ietf:params:oauth:token-type:id_token",
        "urn:ietf:params:oauth:token-type:jwt"
      ]).annotate({ expected: `"access_token", "id_token" or "jwt"` })
    )
  }).annotate({ expected: `an object with "tokenUrl"` })
)
