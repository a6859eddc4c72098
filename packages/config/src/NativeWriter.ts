/**
 * Writes what a document of any dialect says in the native form, as plain data for JSON or YAML.
 *
 * Templates are written as templates: no variable and no file is read. What the native form cannot say is named in
 * `lost`, with its place, and never written as something else. Decoded again, an entry is the same but for its places.
 */
import type { ConfigWarning } from "@letterhead/core/server/McpConfig"
import {
  CONNECT_TIMEOUT_DEFAULT,
  type CredentialField,
  type Helper,
  HELPER_TIMEOUT_DEFAULT,
  type OAuthSettings,
  type PassthroughHeader,
  type Place,
  type ServerEntry
} from "@letterhead/core/server/ServerEntry"
import type { Template } from "@letterhead/core/server/Template"
import * as Result from "effect/Result"
import type { Reading } from "./Dialect.ts"
import { showKey } from "./Document.ts"
import { RETRY_DELAY_DEFAULT } from "./ServerForm.ts"
import * as TemplateWriter from "./TemplateWriter.ts"

export interface Written {
  /** The document. */
  readonly value: Readonly<Record<string, unknown>>
  readonly lost: ReadonlyArray<ConfigWarning>
}

/** `hookPath` writes the absolute path of a hook as the new document names it. */
export const write = (reading: Reading, hookPath: (path: string) => string): Written => {
  const lost: Array<ConfigWarning> = [...reading.warnings]
  // Without a prototype, a server may be called __proto__.
  const mcpServers: Record<string, unknown> = Object.create(null)
  const hooks = new Set<string>()
  for (const server of reading.servers) {
    if (server._tag === "Skipped") {
      lost.push({ place: server.place, message: `the server ${showKey(server.name)}: ${server.reason.message}` })
      continue
    }
    const written = writeEntry(server.entry)
    if (Result.isFailure(written)) {
      lost.push(written.failure)
      continue
    }
    mcpServers[server.name] = written.success
    for (const hook of server.entry.hooks) {
      if (hook.optional !== true) hooks.add(hookPath(hook.path))
    }
  }
  const optional = new Map(
    reading.servers.flatMap((server) =>
      server._tag === "Read"
        ? server.entry.hooks.flatMap((hook) => (hook.optional === true ? [[hook.path, hook.place] as const] : []))
        : []
    )
  )
  for (const [path, place] of optional) {
    lost.push({
      place,
      message: `the plugin ${path}: if its default export has "mcp.call.before", list it under "hooks"`
    })
  }
  return {
    value: {
      ...(reading.extends === undefined ? {} : { extends: reading.extends.map(({ url }) => url) }),
      mcpServers,
      ...(hooks.size === 0 ? {} : { hooks: [...hooks] }),
      ...(reading.credentialStorage === undefined ? {} : { credentials: { storage: reading.credentialStorage } })
    },
    lost
  }
}

type Entry = Readonly<Record<string, unknown>>

const writeEntry = (entry: ServerEntry): Result.Result<Entry, ConfigWarning> =>
  Result.gen(function* () {
    const template = (value: Template, place: Place, what: string) =>
      Result.mapError(TemplateWriter.write(value), (why) => ({
        place,
        message: `the server ${showKey(entry.name)}: ${what} ${why}`
      }))
    const templates = function* (values: Iterable<readonly [name: string, value: Template, place: Place]>) {
      const written: Record<string, string> = Object.create(null)
      for (const [name, value, place] of values) written[name] = yield* template(value, place, showKey(name))
      return written
    }
    const { endpoint } = entry
    const timeout = entry.connectTimeout === CONNECT_TIMEOUT_DEFAULT ? {} : { timeout: entry.connectTimeout }
    const auth = entry.auth === "auto" ? {} : { auth: entry.auth }
    if (endpoint.type === "stdio") {
      const env = yield* templates([...endpoint.env].map(([name, value]) => [name, value, entry.place]))
      return {
        command: endpoint.command,
        ...unlessEmpty("args", endpoint.args),
        ...unlessEmpty("env", env),
        ...auth,
        ...timeout
      }
    }
    const headers = yield* templates(entry.headers.map(({ name, place, value }) => [name, value, place]))
    const { helper } = entry
    const environment =
      helper === undefined
        ? {}
        : yield* templates([...helper.environment].map(([name, value]) => [name, value, helper.place]))
    const { oauth } = entry
    if (oauth?.exchange !== undefined) {
      return yield* Result.fail({
        place: oauth.place,
        message: `the server ${showKey(entry.name)}: the exchange of callers' tokens cannot be written in this form`
      })
    }
    const secrets = oauth === undefined ? {} : yield* templates(templatesOf(oauth))
    return {
      ...(endpoint.transport === "auto" ? {} : { type: endpoint.transport }),
      url: yield* template(endpoint.url, entry.place, `"url"`),
      ...unlessEmpty("headers", headers),
      ...(helper === undefined ? {} : { headersHelper: writeHelper(helper, environment) }),
      ...unlessEmpty("passthroughHeaders", entry.passthrough.map(writePassthrough)),
      ...unlessEmpty(
        "userConfig",
        Object.fromEntries(entry.credentials.map((field) => [field.name, writeCredential(field)]))
      ),
      ...auth,
      ...(oauth === undefined ? {} : { oauth: writeOAuth(oauth, secrets) }),
      ...timeout
    }
  })

const writeHelper = (helper: Helper, environment: Readonly<Record<string, string>>): string | Entry => {
  const { times, delay } = helper.retry
  const rest = {
    ...unlessEmpty("environment", environment),
    ...(helper.timeout === HELPER_TIMEOUT_DEFAULT ? {} : { timeout: helper.timeout }),
    ...(times === 0 && delay === RETRY_DELAY_DEFAULT ? {} : { retry: { times, delay } }),
    ...unlessEmpty("passEnv", helper.passEnv),
    ...(helper.cache === "never" ? {} : { cache: helper.cache }),
    ...(helper.onFailure === "fail" ? {} : { onFailure: helper.onFailure }),
    ...(helper.files === undefined ? {} : { files: helper.files })
  }
  return typeof helper.command === "string" && Object.keys(rest).length === 0
    ? helper.command
    : { command: helper.command, ...rest }
}

const writePassthrough = (header: PassthroughHeader): string | Entry => {
  const rest = {
    ...(header.as === header.name ? {} : { as: header.as }),
    ...(header.required ? { required: true } : {}),
    ...(header.credential ? { credential: true } : {}),
    ...(header.override ? { override: true } : {})
  }
  return Object.keys(rest).length === 0 ? header.name : { name: header.name, ...rest }
}

/** The templates of a sign-in or grant, by their keys; those of an identity provider have its key before their own. */
const templatesOf = ({ clientId, clientSecret, grant, place }: OAuthSettings) => {
  const found = {
    clientId,
    clientSecret,
    privateKey: grant?.key?.privateKey,
    ...(grant?.type === "jwt_bearer" ? { assertion: grant.assertion } : {}),
    ...(grant?.type === "id_jag"
      ? {
          idToken: grant.idToken,
          [`${PROVIDER}clientId`]: grant.identityProvider.clientId,
          [`${PROVIDER}clientSecret`]: grant.identityProvider.clientSecret
        }
      : {})
  }
  return Object.entries(found).flatMap(([key, value]) => (value === undefined ? [] : [[key, value, place] as const]))
}

const PROVIDER = "identityProvider."

const writeOAuth = (
  { callbackPort, clientMetadataUrl, grant, scopes = [] }: OAuthSettings,
  secrets: Readonly<Record<string, string>>
): Entry => {
  const written = Object.entries(secrets)
  const own = Object.fromEntries(written.filter(([key]) => !key.startsWith(PROVIDER)))
  const ofProvider = written.flatMap(([key, value]) =>
    key.startsWith(PROVIDER) ? [[key.slice(PROVIDER.length), value] as const] : []
  )
  return {
    ...(grant === undefined ? {} : { grant: grant.type }),
    ...(grant?.issuer === undefined ? {} : { issuer: grant.issuer }),
    ...own,
    ...(grant?.key === undefined ? {} : { signingAlgorithm: grant.key.algorithm }),
    ...(grant?.type === "id_jag"
      ? {
          identityProvider: {
            issuer: grant.identityProvider.issuer,
            ...(grant.identityProvider.tokenEndpoint === undefined
              ? {}
              : { tokenEndpoint: grant.identityProvider.tokenEndpoint }),
            ...Object.fromEntries(ofProvider)
          }
        }
      : {}),
    ...unlessEmpty("scopes", scopes),
    ...(callbackPort === undefined ? {} : { callbackPort }),
    ...(clientMetadataUrl === undefined ? {} : { clientMetadataUrl })
  }
}

/** Says the header and whether the field is sensitive in any case: for some names both go without saying. */
const writeCredential = (field: CredentialField): Entry => ({
  ...(field.title === field.name ? {} : { title: field.title }),
  ...(field.description === undefined ? {} : { description: field.description }),
  headerName: field.headerName,
  ...(field.valuePrefix === "" ? {} : { valuePrefix: field.valuePrefix }),
  ...(field.required ? { required: true } : {}),
  sensitive: field.sensitive,
  ...(field.default === undefined ? {} : { default: field.default })
})

const unlessEmpty = (key: string, value: ReadonlyArray<unknown> | Entry): Entry =>
  (Array.isArray(value) ? value.length : Object.keys(value).length) === 0 ? {} : { [key]: value }
