/**
 * The answer of an authorization server as it comes back through a person's browser, checked before anything of it is
 * used or shown.
 *
 * In this order: no parameter that decides comes twice; the state is ours, compared in constant time; the issuer is the
 * one that was asked (RFC 9207, compared as it is written); and only then is looked at what the answer says. What it says
 * of an error is shown where its issuer was checked and nowhere else, since otherwise anybody can have written it.
 */
import { SignInFailed } from "@letterhead/core/headers/HeaderError"
import * as Data from "effect/Data"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { createHash, randomBytes, timingSafeEqual } from "node:crypto"
import * as ForeignText from "../http/ForeignText.ts"
import type { ExpectedIssuer, SignInAnswer } from "./SignIn.ts"

export interface Expected {
  readonly redirectUri: string
  readonly state: Redacted.Redacted
  /** Default: any. */
  readonly issuer: ExpectedIssuer | undefined
}

/** It belongs to no sign-in of ours: whoever waits goes on waiting, so that a stranger cannot end it. */
export class NotOurs extends Data.TaggedError("NotOurs")<{ readonly description: string }> {
  override get message(): string {
    return this.description
  }
}

/** 256 bits, for one sign-in. */
export const makeState = (): Redacted.Redacted => Redacted.make(randomBytes(32).toString("base64url"))

/** The answer, or why it is none; a failure says nothing of state and code. */
export const check = (
  parameters: URLSearchParams,
  { issuer, redirectUri, state }: Expected
): Result.Result<SignInAnswer, NotOurs | SignInFailed> => {
  if (DECIDING.some((name) => parameters.getAll(name).length > 1)) {
    return Result.fail(new NotOurs({ description: "it says the same thing twice" }))
  }
  if (!same(parameters.get("state") ?? "", Redacted.value(state))) {
    return Result.fail(new NotOurs({ description: "it does not belong to this sign-in, or to one that is over" }))
  }
  const iss = parameters.get("iss")
  if (issuer !== undefined && (iss === null ? issuer.promised : iss !== issuer.issuer)) {
    return Result.fail(failed(iss === null ? ISSUER_MISSING : ISSUER_OTHER))
  }
  const error = parameters.get("error")
  if (error !== null) {
    return Result.fail(failed(refusal(parameters, error, issuer === undefined ? undefined : Redacted.value(state))))
  }
  if (!parameters.get("code")) {
    return Result.fail(failed("the authorization server answered with neither a code nor an error; try again"))
  }
  return Result.succeed(new Answer(parameters, redirectUri, state))
}

const DECIDING = ["state", "iss", "code", "error", "error_description"]

const ISSUER_MISSING =
  "the answer does not say which authorization server gave it, and this one promises to; nothing of it was used. Try " +
  "again; where it stays like this, tell whoever runs the server"

const ISSUER_OTHER =
  "the answer came from another authorization server than the one that was asked; nothing of it was used. Try again; " +
  "where it stays like this, do not trust this server"

/** Holds its values where neither a log nor `JSON.stringify` looks. */
class Answer implements SignInAnswer {
  readonly redirectUri: string
  readonly #parameters: URLSearchParams
  readonly #state: Redacted.Redacted

  constructor(parameters: URLSearchParams, redirectUri: string, state: Redacted.Redacted) {
    this.redirectUri = redirectUri
    this.#parameters = parameters
    this.#state = state
  }

  get parameters(): URLSearchParams {
    return this.#parameters
  }

  get state(): string {
    return Redacted.value(this.#state)
  }
}

const failed = (description: string): SignInFailed => new SignInFailed({ description })

/** What an authorization server says of its refusal; `state` is undefined where it is not known who said it. */
const refusal = (parameters: URLSearchParams, error: string, state: string | undefined): string => {
  if (state === undefined) return "the authorization server refused; try again"
  const secrets = [state, parameters.get("code") ?? ""]
  const description = ForeignText.shown(parameters.get("error_description") ?? "", secrets)
  const said = description === "" ? "" : `: ${description}`
  if (error === "access_denied") return `access was denied${said}; to try again, sign in once more`
  return `the authorization server refused (${ForeignText.shown(error, secrets)})${said}`
}

/** In constant time, whatever their lengths. */
const same = (one: string, other: string): boolean => timingSafeEqual(digest(one), digest(other))

const digest = (text: string): Uint8Array => createHash("sha256").update(text).digest()
