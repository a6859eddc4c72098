/**
 * How a client proves to the authorization server that it is that client: `client_secret_basic`, `client_secret_post`,
 * `private_key_jwt`, or `none` for one that has nothing to prove it with.
 *
 * A key goes before a secret. Which way a secret takes, its registration says, where the metadata has that way too;
 * otherwise the metadata does, and Basic goes first.
 */
import { SignInFailed } from "@letterhead/core/headers/HeaderError"
import {
  type AddClientAuthentication,
  type AuthorizationServerMetadata,
  createPrivateKeyJwtAuth,
  selectClientAuthMethod
} from "@modelcontextprotocol/client"
import * as Redacted from "effect/Redacted"
import type { OAuthClient } from "./OAuthClient.ts"

export type Method = "client_secret_basic" | "client_secret_post" | "private_key_jwt" | "none"

/** The way that a client takes at a server. */
export const methodOf = (client: OAuthClient, metadata: AuthorizationServerMetadata): Method => {
  if (client.key !== undefined) return "private_key_jwt"
  return selectClientAuthMethod(
    {
      redirect_uris: [],
      client_id: client.id,
      ...(client.secret === undefined ? {} : { client_secret: Redacted.value(client.secret) }),
      ...(client.method === undefined ? {} : { token_endpoint_auth_method: client.method })
    },
    [...(metadata.token_endpoint_auth_methods_supported ?? [])]
  )
}

/** Adds what proves the client to the headers or parameters of one request. */
export const make = (client: OAuthClient, metadata: AuthorizationServerMetadata): AddClientAuthentication => {
  const method = methodOf(client, metadata)
  const { key, secret } = client
  if (method === "private_key_jwt" && key !== undefined) {
    return async (headers, parameters, url) => {
      const sign = createPrivateKeyJwtAuth({
        issuer: client.id,
        subject: client.id,
        privateKey: Redacted.value(key.privateKey),
        alg: key.algorithm,
        audience: metadata.issuer
      })
      try {
        await sign(headers, parameters, url, metadata)
      } catch {
        // What is thrown may quote the key.
        const description = `the private key cannot sign by ${key.algorithm}; it has to be one for that, in PKCS #8 as PEM`
        throw new SignInFailed({ description })
      }
      parameters.set("client_id", client.id)
    }
  }
  return (headers, parameters) => {
    if (method === "client_secret_basic" && secret !== undefined) {
      headers.set("authorization", `Basic ${Redacted.value(basicOf(client.id, secret))}`)
      return
    }
    parameters.set("client_id", client.id)
    if (method === "client_secret_post" && secret !== undefined) {
      parameters.set("client_secret", Redacted.value(secret))
    }
  }
}

/** The credential of a client as a Basic header has it. */
export const basicOf = (id: string, secret: Redacted.Redacted): Redacted.Redacted =>
  Redacted.make(Buffer.from(`${encoded(id)}:${encoded(Redacted.value(secret))}`).toString("base64"))

/** Both halves of a Basic credential are written as in a form (RFC 6749, section 2.3.1). */
const encoded = (text: string): string => new URLSearchParams({ "": text }).toString().slice(1)
