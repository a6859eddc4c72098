/**
 * Makes a server entry of what a dialect's schema let through: what the schema cannot say, such as that an entry has a
 * URL or a command and not both. The first thing that is wrong is the reason why the server is skipped.
 */
import { type HeaderConflict, ValueInvalid, type VariableUnset } from "@letterhead/core/server/ConfigError"
import {
  CONNECT_TIMEOUT_DEFAULT,
  type HttpEndpoint,
  type ServerEntry,
  type StdioEndpoint
} from "@letterhead/core/server/ServerEntry"
import * as Result from "effect/Result"
import * as Conflicts from "./Conflicts.ts"
import * as CredentialsDecoder from "./CredentialsDecoder.ts"
import * as EndpointUrl from "./EndpointUrl.ts"
import type { EntryContext } from "./EntryContext.ts"
import * as HeadersDecoder from "./HeadersDecoder.ts"
import * as HelperDecoder from "./HelperDecoder.ts"
import * as OAuthDecoder from "./OAuthDecoder.ts"
import * as Interpolation from "./Interpolation.ts"
import * as PassthroughDecoder from "./PassthroughDecoder.ts"
import type { ServerForm } from "./ServerForm.ts"

type Problem = ValueInvalid | VariableUnset | HeaderConflict

export const decode = (form: ServerForm, context: EntryContext): Result.Result<ServerEntry, Problem> =>
  Result.gen(function* () {
    const common = {
      name: context.name,
      origin: context.origin,
      place: context.document.place(context.path, "key"),
      auth: form.auth ?? "auto",
      connectTimeout: form.timeout ?? CONNECT_TIMEOUT_DEFAULT
    }
    const endpoint = yield* decodeEndpoint(form, context)
    if (endpoint.type === "stdio") {
      return { ...common, endpoint, headers: [], passthrough: [], credentials: [], hooks: [] }
    }
    const entry: ServerEntry = {
      ...common,
      endpoint,
      headers: yield* HeadersDecoder.decode(form.headers, context),
      ...(form.headersHelper === undefined ? {} : { helper: yield* HelperDecoder.decode(form.headersHelper, context) }),
      passthrough: yield* PassthroughDecoder.decode(form.passthroughHeaders, context),
      credentials: yield* CredentialsDecoder.decode(form.userConfig, context),
      hooks: context.hooks,
      ...(form.oauth === undefined ? {} : { oauth: yield* OAuthDecoder.decode(form.oauth, context) })
    }
    const authPlace = context.document.place(context.locate(["auth"]))
    const grant = entry.oauth?.grant
    if (form.auth === "none" && grant !== undefined) {
      const expected = `"auto" or "oauth" beside the grant "${grant.type}": with "none" no token is had`
      const remedy = `set one of them, or remove "grant"`
      return yield* Result.fail(new ValueInvalid({ place: authPlace, expected, remedy }))
    }
    const conflict = Conflicts.find(entry, authPlace)
    if (conflict !== undefined) return yield* Result.fail(conflict)
    return entry
  })

const decodeEndpoint = (
  form: ServerForm,
  context: EntryContext
): Result.Result<HttpEndpoint | StdioEndpoint, Problem> => {
  const invalid = (expected: string, remedy: string, key?: string) =>
    Result.fail(
      new ValueInvalid({
        place: context.document.place(key === undefined ? context.path : context.locate([key]), "key"),
        expected,
        remedy
      })
    )
  const { type, url, command } = form
  if (url !== undefined && command !== undefined) {
    return invalid(`"url" or "command", and not both`, "keep the one that is meant and remove the other", "command")
  }
  if (url === undefined && command === undefined) {
    return type === "stdio"
      ? invalid(`"command", because "type" is "stdio"`, "add the program that is the server")
      : type !== undefined
        ? invalid(`"url", because "type" is "${type}"`, "add the URL of the server")
        : invalid(`"url" or "command"`, "add the URL of the server, or the program that is the server")
  }
  if (url !== undefined) {
    return type === "stdio"
      ? invalid(`"command" instead of "url", because "type" is "stdio"`, `remove "type", or name a program`, "url")
      : decodeUrl(url, TRANSPORTS[type ?? "auto"], context)
  }
  if (type !== undefined && type !== "stdio") {
    return invalid(`"url" instead of "command", because "type" is "${type}"`, `remove "type", or name a URL`, "command")
  }
  return Result.map(HelperDecoder.variables(form.env, context.locate(["env"]), context), (env) => ({
    type: "stdio",
    command: command ?? "",
    args: form.args ?? [],
    env
  }))
}

const TRANSPORTS = { http: "http", "streamable-http": "http", sse: "sse", auto: "auto" } as const

const decodeUrl = (
  url: string,
  transport: HttpEndpoint["transport"],
  context: EntryContext
): Result.Result<HttpEndpoint, Problem> => {
  const at = { ...context, path: context.locate(["url"]) }
  return Result.flatMap(Interpolation.check(url, at), (checked) => {
    const expected = EndpointUrl.defect(checked)
    return expected === undefined
      ? Result.succeed({ type: "http", transport, url: checked.template })
      : Interpolation.refuse(expected, checked.template, at)
  })
}
