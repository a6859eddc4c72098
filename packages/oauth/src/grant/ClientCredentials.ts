/** The client credentials grant: a token for the client itself, which proves who it is by its secret or its key. */
import { SignInFailed } from "@letterhead/core/headers/HeaderError"
import * as Effect from "effect/Effect"
import type * as GrantError from "./GrantError.ts"
import * as TokenRequest from "./TokenRequest.ts"

export interface ClientCredentialsOptions extends TokenRequest.GrantOptions {
  readonly scopes: ReadonlyArray<string>
}

/** Refused without asking where the client has neither a secret nor a key. */
export const request = (
  options: ClientCredentialsOptions
): Effect.Effect<TokenRequest.TokenAnswer, GrantError.GrantError> =>
  options.client.secret === undefined && options.client.key === undefined
    ? Effect.fail(new SignInFailed({ description: "a client without a secret or a key gets no token for itself" }))
    : TokenRequest.send(options, {
        grant_type: "client_credentials",
        scope: TokenRequest.scopeOf(options.scopes)
      })
