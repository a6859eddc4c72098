import { assert, describe, it } from "@effect/vitest"
import { SignInFailed } from "@letterhead/core/headers/HeaderError"
import * as AuthorizationAnswer from "@letterhead/oauth/signin/AuthorizationAnswer"
import * as ForeignText from "@letterhead/oauth/http/ForeignText"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { inspect } from "node:util"

const STATE = "the-state-of-this-sign-in"
const CODE = "the-code-that-was-given"
const ISSUER = "https://issuer.example"

const expected = {
  redirectUri: "http://127.0.0.1:1/callback",
  state: Redacted.make(STATE),
  issuer: { issuer: ISSUER, promised: false }
}
const promised = { ...expected, issuer: { issuer: ISSUER, promised: true } }
const unknown = { ...expected, issuer: undefined }

const check = (parameters: Record<string, string>, against: AuthorizationAnswer.Expected = expected) =>
  AuthorizationAnswer.check(new URLSearchParams(parameters), against)

/** What a refused answer is said to be. */
const refusal = (parameters: Record<string, string>, against?: AuthorizationAnswer.Expected) => {
  const checked = check(parameters, against)
  return Result.isFailure(checked) ? checked.failure : assert.fail("it was taken")
}

describe("the answer of an authorization server", () => {
  it("with our state and a code is taken, with or without the issuer where none is promised", () => {
    for (const iss of [{}, { iss: ISSUER }]) {
      const answer = Result.getOrThrow(check({ state: STATE, code: CODE, ...iss }))
      assert.strictEqual(answer.parameters.get("code"), CODE)
      assert.strictEqual(answer.state, STATE)
    }
    assert.isTrue(Result.isSuccess(check({ state: STATE, code: CODE, iss: ISSUER }, promised)))
  })

  it("that is taken shows neither state nor code when it is printed", () => {
    const answer = Result.getOrThrow(check({ state: STATE, code: CODE }))
    for (const text of [inspect(answer, { depth: 9, showHidden: true }), JSON.stringify(answer)]) {
      assert.notInclude(text, STATE)
      assert.notInclude(text, CODE)
    }
  })

  it.each([{}, { state: "" }, { state: "other" }, { state: STATE.slice(1) }, { state: `${STATE} ` }])(
    "F75: of another state is not ours: %j",
    (state) => {
      assert.instanceOf(refusal({ code: CODE, ...state }), AuthorizationAnswer.NotOurs)
      assert.instanceOf(refusal({ error: "access_denied", ...state }), AuthorizationAnswer.NotOurs)
    }
  )

  it.each(["state", "iss", "code", "error", "error_description"])("F75: that has two of %s is not ours", (name) => {
    const parameters = new URLSearchParams({ state: STATE, code: CODE, iss: ISSUER })
    parameters.delete(name)
    parameters.append(name, name === "state" ? STATE : "a")
    parameters.append(name, "b")
    const checked = AuthorizationAnswer.check(parameters, expected)
    assert.isTrue(Result.isFailure(checked) && checked.failure._tag === "NotOurs")
  })

  it.each([`${ISSUER}/`, "HTTPS://issuer.example", "https://issuer.example:443", "https://attacker.example", ""])(
    "F75: of another issuer is refused, compared as it is written: %s",
    (iss) => {
      for (const against of [expected, promised]) {
        const failure = refusal({ state: STATE, code: CODE, iss }, against)
        assert.instanceOf(failure, SignInFailed)
        assert.include(failure.message, "another authorization server")
      }
    }
  )

  it("F75: without the issuer is refused where it is promised", () => {
    assert.include(refusal({ state: STATE, code: CODE }, promised).message, "does not say which authorization server")
  })

  it("F75: says nothing of an error where the issuer is wrong, missing or not known", () => {
    const error = { state: STATE, error: "INJECTED", error_description: "call INJECTED", error_uri: "https://INJECTED" }
    for (const failure of [
      refusal({ ...error, iss: "https://INJECTED" }),
      refusal(error, promised),
      refusal(error, unknown)
    ]) {
      assert.instanceOf(failure, SignInFailed)
      assert.notInclude(`${failure.message} ${inspect(failure)}`, "INJECTED")
    }
  })

  it("says what the authorization server says of an error: escaped, cut, and without state and code", () => {
    const { message } = refusal({
      state: STATE,
      code: CODE,
      error: "server_error",
      error_description: `\u001b[2J${STATE} ${encodeURIComponent(CODE)} ${"x".repeat(10_000)}`
    })
    assert.include(message, "(server_error)")
    assert.include(message, `\\u{1b}[2J${ForeignText.MASK} ${ForeignText.MASK} xxx`)
    assert.isBelow(message.length, ForeignText.TEXT_LIMIT + 200)
    assert.include(refusal({ state: STATE, error: "access_denied" }).message, "access was denied")
  })

  it("without a code or an error is refused", () => {
    assert.include(refusal({ state: STATE }).message, "neither a code nor an error")
    assert.include(refusal({ state: STATE, code: "" }).message, "neither a code nor an error")
  })

  it("gets another state each time, of 256 bits", () => {
    const states = Array.from({ length: 100 }, () => Redacted.value(AuthorizationAnswer.makeState()))
    assert.strictEqual(new Set(states).size, 100)
    for (const state of states) assert.match(state, /^[\w-]{43}$/)
  })
})

describe("what somebody else wrote", () => {
  it.prop(
    "is one line of bounded length without control characters, invisible ones, and secrets",
    { before: Schema.String, after: Schema.String },
    ({ after, before }) => {
      const text = ForeignText.shown(`${before}${STATE}${after}`, [STATE])
      assert.notMatch(text, /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u)
      assert.notInclude(text, STATE)
      assert.isAtMost(text.length, ForeignText.TEXT_LIMIT + 1)
    },
    { arbitrary: { runs: 1_000 } }
  )
})
