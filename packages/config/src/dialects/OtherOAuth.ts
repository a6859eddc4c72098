/**
 * How Claude Code and OpenCode say how to sign in: the native keys, scopes in one string, and what has no counterpart
 * here, which is a warning, since a sign-in may do without.
 */
import type { ConfigWarning } from "@letterhead/core/server/McpConfig"
import type { Document, DocumentPath } from "../Document.ts"
import * as ServerForm from "../ServerForm.ts"
import type { Written } from "../ServersReader.ts"
import type { KnownKeys } from "../UnknownKeys.ts"

export const keys: KnownKeys = {
  ...ServerForm.signInKeys,
  scope: true,
  redirectUri: true,
  authServerMetadataUrl: true
}

/** The form with how to sign in, where the entry at `path` says that. */
export const read = (
  document: Document,
  path: DocumentPath,
  form: ServerForm.ServerForm,
  oauth: typeof ServerForm.OAuthOfOthers.Type | undefined
): Written => {
  if (oauth === undefined) return { form }
  const { redirectUri, scope, scopes, ...rest } = oauth
  const named = typeof scopes === "string" || scopes === undefined ? wordsOf(scopes ?? scope) : scopes
  const port = rest.callbackPort ?? portOf(redirectUri)
  const warn = (key: string, message: string): ReadonlyArray<ConfigWarning> =>
    document.node([...path, "oauth", key]) === undefined
      ? []
      : [{ place: document.place([...path, "oauth", key], "key"), message }]
  return {
    form: {
      ...form,
      oauth: {
        ...rest,
        ...(named.length === 0 ? {} : { scopes: named }),
        ...(port === undefined ? {} : { callbackPort: port })
      }
    },
    locate: (keys) =>
      keys[0] === "oauth" && keys[1] === "scopes" && typeof scopes !== "object"
        ? [...path, "oauth", scopes === undefined ? "scope" : "scopes"]
        : [...path, ...keys],
    warnings: [
      ...warn(
        "redirectUri",
        `only the port counts: a sign-in ends at http://127.0.0.1:${port ?? "PORT"}/callback; register that for the client`
      ),
      ...warn("authServerMetadataUrl", "is ignored: where a server signs people in is found out from the server itself")
    ]
  }
}

const wordsOf = (text: string | undefined): ReadonlyArray<string> =>
  (text ?? "").split(/\s+/).filter((word) => word.length > 0)

const portOf = (redirectUri: string | undefined): number | undefined => {
  if (redirectUri === undefined || !URL.canParse(redirectUri)) return undefined
  const { port } = new URL(redirectUri)
  return port === "" ? undefined : Number(port)
}
