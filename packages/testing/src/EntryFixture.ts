/**
 * Server entries for tests, without a configuration file.
 *
 * {@link entry} gives a `user`-scope HTTP entry with nothing else in it; each test states only what it is about.
 * Header values, URLs and variables are written as they would be in a file and are parsed as templates; text that is
 * no template is a defect of the test and throws.
 */
import * as Result from "effect/Result"
import {
  CONNECT_TIMEOUT_DEFAULT,
  type CredentialField,
  type Grant,
  type Helper,
  HELPER_TIMEOUT_DEFAULT,
  type HookModule,
  type HttpEndpoint,
  type OAuthSettings,
  type Origin,
  type OriginScope,
  type PassthroughHeader,
  type Place,
  type ServerEntry,
  type StdioEndpoint
} from "@letterhead/core/server/ServerEntry"
import { parse, type Template } from "@letterhead/core/server/Template"

/** What a test may say about a helper; the rest is as a configuration leaves it. */
export interface HelperOptions {
  readonly command: ReadonlyArray<string> | string
  readonly environment?: Readonly<Record<string, string>>
  /** Milliseconds; default 10,000. */
  readonly timeout?: number
  readonly retry?: { readonly times: number; readonly delay: number }
  readonly passEnv?: ReadonlyArray<string>
  readonly cache?: Helper["cache"]
  readonly onFailure?: Helper["onFailure"]
  readonly files?: ReadonlyArray<string>
  readonly place?: Place
}

/** A thing with its templates as they are written. */
export type Written<A> = A extends Template ? string : A extends object ? { readonly [K in keyof A]: Written<A[K]> } : A

/** What a test may say about an entry. */
export interface EntryOptions {
  /** Default `example`. */
  readonly name?: string
  /** Default `user`. */
  readonly scope?: OriginScope
  /** Where the entry was read; default a file in `directory`, or a URL for the scope `remote`. */
  readonly source?: string
  /** Folder of the configuration; default `/`. Ignored for the scope `remote`, which has none. */
  readonly directory?: string
  /** Root of the repository; default none. */
  readonly workspace?: string
  /** Default `https://mcp.example.com/mcp`. */
  readonly url?: string
  /** Default `http`. */
  readonly transport?: HttpEndpoint["transport"]
  /** Makes it a stdio entry. */
  readonly stdio?: {
    readonly command: string
    readonly args?: ReadonlyArray<string>
    readonly env?: Readonly<Record<string, string>>
  }
  readonly headers?: Readonly<Record<string, string>>
  readonly helper?: HelperOptions
  /** Incoming headers that are let through; only `name` is needed. */
  readonly passthrough?: ReadonlyArray<Partial<PassthroughHeader> & Pick<PassthroughHeader, "name">>
  /** Fields that a person fills in; only `name` and `headerName` are needed. */
  readonly credentials?: ReadonlyArray<Partial<CredentialField> & Pick<CredentialField, "name" | "headerName">>
  /** Default `auto`. */
  readonly auth?: ServerEntry["auth"]
  /** How somebody signs in; client id and secret are templates, and so is what a grant presents. */
  readonly oauth?: Omit<OAuthSettings, "clientId" | "clientSecret" | "grant" | "place"> & {
    readonly clientId?: string
    readonly clientSecret?: string
    readonly grant?: Written<Grant>
  }
  /** Absolute paths of hook modules, in the order they run. */
  readonly hooks?: ReadonlyArray<string>
  /** Milliseconds; default 30,000. */
  readonly connectTimeout?: number
}

/** A server entry; see {@link EntryOptions} for the defaults. */
export const entry = (options: EntryOptions = {}): ServerEntry => {
  const name = options.name ?? "example"
  const origin = originOf(options)
  const place = placeIn(origin, `mcpServers.${name}`)
  return {
    name,
    origin,
    place,
    endpoint: endpointOf(options),
    headers: Object.entries(options.headers ?? {}).map(([header, value]) => ({
      name: header,
      value: template(value),
      place: placeIn(origin, `mcpServers.${name}.headers.${header}`)
    })),
    ...(options.helper === undefined
      ? {}
      : { helper: helper({ place: placeIn(origin, `mcpServers.${name}.headersHelper`), ...options.helper }) }),
    hooks: (options.hooks ?? []).map((path, index): HookModule => ({
      path,
      place: placeIn(origin, `hooks[${index}]`)
    })),
    passthrough: (options.passthrough ?? []).map((header, index) => ({
      as: header.name,
      required: false,
      credential: false,
      override: false,
      place: placeIn(origin, `mcpServers.${name}.passthroughHeaders[${index}]`),
      ...header
    })),
    credentials: (options.credentials ?? []).map((field) => ({
      title: field.name,
      valuePrefix: "",
      required: false,
      sensitive: false,
      place: placeIn(origin, `mcpServers.${name}.userConfig.${field.name}`),
      ...field
    })),
    auth: options.auth ?? "auto",
    ...(options.oauth === undefined
      ? {}
      : { oauth: oauth(options.oauth, placeIn(origin, `mcpServers.${name}.oauth`)) }),
    connectTimeout: options.connectTimeout ?? CONNECT_TIMEOUT_DEFAULT
  }
}

/** The helper of an entry, with a configuration's defaults. */
export const helper = (options: HelperOptions): Helper => ({
  command: options.command,
  environment: templates(options.environment),
  timeout: options.timeout ?? HELPER_TIMEOUT_DEFAULT,
  retry: options.retry ?? { times: 0, delay: 200 },
  passEnv: options.passEnv ?? [],
  cache: options.cache ?? "never",
  onFailure: options.onFailure ?? "fail",
  ...(options.files === undefined ? {} : { files: options.files }),
  place: options.place ?? { file: "/letterhead.json", line: 1, column: 1, path: "mcpServers.example.headersHelper" }
})

const oauth = (
  { clientId, clientSecret, grant: written, ...rest }: NonNullable<EntryOptions["oauth"]>,
  place: Place
): OAuthSettings => ({
  ...rest,
  ...(clientId === undefined ? {} : { clientId: template(clientId) }),
  ...(clientSecret === undefined ? {} : { clientSecret: template(clientSecret) }),
  ...(written === undefined ? {} : { grant: grant(written) }),
  place
})

const grant = (written: Written<Grant>): Grant => {
  const { key, ...rest } = written
  const common = key === undefined ? {} : { key: { ...key, privateKey: template(key.privateKey) } }
  if (rest.type === "client_credentials") return { ...rest, ...common }
  if (rest.type === "jwt_bearer") return { ...rest, ...common, assertion: template(rest.assertion) }
  const { clientId, clientSecret, ...provider } = rest.identityProvider
  return {
    ...rest,
    ...common,
    idToken: template(rest.idToken),
    identityProvider: {
      ...provider,
      clientId: template(clientId),
      ...(clientSecret === undefined ? {} : { clientSecret: template(clientSecret) })
    }
  }
}

/** The template that `text` is; throws where it is none. */
export const template = (text: string): Template => Result.getOrThrow(parse(text))

const templates = (record: Readonly<Record<string, string>> = {}): ReadonlyMap<string, Template> =>
  new Map(Object.entries(record).map(([name, text]) => [name, template(text)]))

const originOf = (options: EntryOptions): Origin => {
  const scope = options.scope ?? "user"
  if (scope === "remote") return { scope, source: options.source ?? "https://config.example.com/letterhead.json" }
  const directory = options.directory ?? "/"
  return {
    scope,
    source: options.source ?? `${directory.replace(/\/$/, "")}/letterhead.json`,
    directory,
    ...(options.workspace === undefined ? {} : { workspace: options.workspace })
  }
}

const endpointOf = (options: EntryOptions): HttpEndpoint | StdioEndpoint =>
  options.stdio === undefined
    ? {
        type: "http",
        transport: options.transport ?? "http",
        url: template(options.url ?? "https://mcp.example.com/mcp")
      }
    : {
        type: "stdio",
        command: options.stdio.command,
        args: options.stdio.args ?? [],
        env: templates(options.stdio.env)
      }

const placeIn = (origin: Origin, path: string): Place => ({ file: origin.source, line: 1, column: 1, path })
