/**
 * Asking a person to sign in, as a service: how it is done depends on where the program runs.
 *
 * - {@link layerNever}: nobody is asked; what servers and continuous integration use.
 * - `BrowserSignIn.layer`: in the browser of this machine.
 * - `PastedRedirect.layer`: in a browser of any machine, for a terminal without one.
 * - an embedder's own: a layer of this service that brings the person to the address, and what comes back to the caller.
 *
 * It is asked by `connect` and `login`, never in the middle of a request.
 */
import { type HeaderErrorReason, SignInRequired } from "@letterhead/core/headers/HeaderError"
import * as Context from "effect/Context"
import type * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

/** Milliseconds that a person has to sign in. */
export const SIGN_IN_LIMIT = 300_000

/** Who the answer has to come from (RFC 9207). */
export interface ExpectedIssuer {
  /** The `issuer` of the metadata that the authorization endpoint was read from. */
  readonly issuer: string
  /** Whether the metadata promises that each answer names its issuer; then one without is refused. */
  readonly promised: boolean
}

export interface SignInRequest {
  /** The name of the server's entry, for people. */
  readonly server: string
  /** The port of 127.0.0.1 that the redirect goes to. Default: one that is free. */
  readonly callbackPort?: number
  /** Default: the issuer is not checked here, and nothing that the answer says of an error is shown. */
  readonly issuer?: ExpectedIssuer
  /** Where the person is sent; both values have to be part of it as they are. Asked once. */
  readonly authorizationUrl: (redirectUri: string, state: string) => Effect.Effect<URL, HeaderErrorReason>
}

/** What came back with the person. It holds the code: use it at once, and write it nowhere. */
export interface SignInAnswer {
  /** As they came, `code` among them. */
  readonly parameters: URLSearchParams
  /** The one that {@link SignInRequest.authorizationUrl} was given. */
  readonly redirectUri: string
  /** The one that {@link SignInRequest.authorizationUrl} was given; the answer has the same. */
  readonly state: string
}

/** What the authorization server says when it is asked for the outcome. Refusals and an expired code are failures. */
export type DevicePoll<A> = Data.TaggedEnum<{
  Pending: {}
  SlowDown: {}
  Done: { readonly value: A }
}>

/** Seconds between two questions, where the authorization server names none. */
export const DEFAULT_INTERVAL = 5

/** The answer of a device authorization endpoint (RFC 8628, section 3.2), as it came: it is checked before it is shown. */
export interface DeviceRequest<A> {
  /** The name of the server's entry, for people. */
  readonly server: string
  readonly verificationUri: string
  readonly verificationUriComplete?: string
  readonly userCode: string
  /** Seconds. */
  readonly expiresIn: number
  /** Seconds. Default: {@link DEFAULT_INTERVAL}. */
  readonly interval?: number
  /** Asks once. `TokenFailed` is taken for a failure that may pass, any other ends the sign-in. */
  readonly poll: Effect.Effect<DevicePoll<A>, HeaderErrorReason>
}

export class SignIn extends Context.Service<
  SignIn,
  {
    /**
     * Has a person authorize, and gives what came back: with a code, the same state, and the issuer that is expected.
     *
     * Fails with `SignInRequired` where no person can be asked, and with `SignInFailed` where the person or the
     * authorization server refused, the answer cannot be trusted, or none came within {@link SIGN_IN_LIMIT}.
     */
    readonly authorize: (request: SignInRequest) => Effect.Effect<SignInAnswer, HeaderErrorReason>
    /**
     * Has a person authorize by entering a code on a device of theirs (RFC 8628). Only where it is the better way:
     * prefer it to `authorize` where it is present and the authorization server has a device authorization endpoint.
     */
    readonly device?: <A>(request: DeviceRequest<A>) => Effect.Effect<A, HeaderErrorReason>
  }
>()("@letterhead/oauth/signin/SignIn") {}

/** Nobody is asked: each sign-in fails with `SignInRequired`, and nothing is registered, opened or shown. */
export const layerNever: Layer.Layer<SignIn> = Layer.succeed(SignIn, {
  authorize: ({ server }) =>
    Effect.fail(
      new SignInRequired({ server, description: "nobody is signed in, and this program cannot ask anybody to" })
    )
})
