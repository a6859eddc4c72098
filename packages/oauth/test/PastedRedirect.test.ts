import { assert, describe, it } from "@effect/vitest"
import * as PastedRedirect from "@letterhead/oauth/signin/PastedRedirect"
import { SIGN_IN_LIMIT, SignIn, type SignInRequest } from "@letterhead/oauth/signin/SignIn"
import { type SignInNotice, SignInPrompt } from "@letterhead/oauth/signin/SignInPrompt"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as TestClock from "effect/testing/TestClock"
import * as ScriptedPrompt from "./support/ScriptedPrompt.ts"
import { visit, withQuery } from "./support/Visit.ts"

const ISSUER = "https://issuer.example"
const CODE = "the-code-that-was-given"

const request: SignInRequest = {
  server: "linear",
  callbackPort: 43_117,
  issuer: { issuer: ISSUER, promised: true },
  authorizationUrl: (redirectUri, state) =>
    Effect.succeed(new URL(withQuery(`${ISSUER}/authorize`, { redirect_uri: redirectUri, state })))
}
const unpromised: SignInRequest = { ...request, issuer: { issuer: ISSUER, promised: false } }

/** The address that the browser ends at. */
const ended = (notice: SignInNotice, parameters: Record<string, string> = {}) => {
  if (notice._tag !== "Redirect") return assert.fail("no address was shown")
  const state = new URL(notice.address).searchParams.get("state") ?? ""
  return withQuery(notice.redirectUri, { code: CODE, iss: ISSUER, state, ...parameters })
}

const authorize = (prompt: SignInPrompt, asked: SignInRequest = request) =>
  Effect.flatMap(SignIn, (service) => service.authorize(asked)).pipe(
    Effect.provide(Layer.provide(PastedRedirect.layer, Layer.succeed(SignInPrompt, prompt)))
  )

/** The person pastes each line in turn; a function gets the notice with the address. */
const paste = Effect.fnUntraced(function* (
  lines: ReadonlyArray<string | ((notice: SignInNotice) => string)>,
  asked?: SignInRequest
) {
  let first: SignInNotice | undefined
  const left = [...lines]
  const scripted = yield* ScriptedPrompt.make((notice) => {
    first ??= notice
    const line = left.shift()
    return typeof line === "function" ? line(first) : line
  })
  return { ...scripted, result: yield* Effect.result(authorize(scripted.prompt, asked)) }
})

const failureOf = (...parameters: Parameters<typeof paste>) =>
  Effect.map(paste(...parameters), ({ result }) =>
    result._tag === "Failure" ? result.failure : assert.fail("it was taken")
  )

describe("signing in by pasting the address at the end", () => {
  it.effect("shows where to sign in and what to paste, and takes the address", () =>
    Effect.gen(function* () {
      const { result, shown } = yield* paste([ended])
      assert.strictEqual(result._tag === "Success" && result.success.parameters.get("code"), CODE)
      assert.include(shown[0], `${ISSUER}/authorize?`)
      assert.include(shown[0], "begins with http://127.0.0.1:43117/callback and cannot show it")
      assert.lengthOf(shown, 1)
    })
  )

  it.effect("listens nowhere, and takes a port of no service where none is given", () =>
    Effect.gen(function* () {
      const { callbackPort: _, ...without } = request
      const { result } = yield* paste([ended], without)
      const { redirectUri } = Result.getOrThrow(result)
      assert.isAtLeast(Number(new URL(redirectUri).port), 49_152)
      assert.match((yield* Effect.flip(visit(redirectUri))).message, /ECONNREFUSED/)
    })
  )

  it.effect.each([
    (url: string) => `  ${url}\t `,
    (url: string) => url.replace("http://", ""),
    (url: string) => `${url}#fragment`
  ])("takes it as browsers write it: %#", (write) =>
    Effect.gen(function* () {
      const { result } = yield* paste([(notice) => write(ended(notice))])
      assert.strictEqual(result._tag === "Success" && result.success.parameters.get("code"), CODE)
    })
  )

  it.effect("takes a code alone where no issuer is promised, and nowhere else", () =>
    Effect.gen(function* () {
      const { result } = yield* paste([CODE], unpromised)
      assert.strictEqual(result._tag === "Success" && result.success.parameters.get("code"), CODE)
      assert.include((yield* failureOf([CODE])).message, "does not say which authorization server")
    })
  )

  it.effect("F75: an address of another state is refused, and asked for again, three times", () =>
    Effect.gen(function* () {
      const other = (notice: SignInNotice) => ended(notice, { state: "other" })
      const { result, shown } = yield* paste([other, other, ended])
      assert.strictEqual(result._tag, "Success")
      assert.include(shown[1], "does not belong to this sign-in")
      const error = yield* failureOf([other, other, other, ended])
      assert.strictEqual(error._tag, "SignInFailed")
      assert.include(error.message, "what was pasted is not the answer")
    })
  )

  it.effect("F75: an address of another issuer, or of none, ends it, and nothing that it says is shown", () =>
    Effect.gen(function* () {
      const said = { error: "INJECTED", error_description: "INJECTED" }
      const other = yield* failureOf([(notice) => ended(notice, { ...said, iss: "https://attacker.example" })])
      assert.include(other.message, "another authorization server")
      const none = yield* failureOf([(notice) => ended(notice, said).replace(/&iss=[^&]*/, "")])
      assert.include(none.message, "does not say which")
      for (const { message } of [other, none]) assert.notInclude(message, "INJECTED")
    })
  )

  it.effect.each([
    "",
    "http://127.0.0.1:43118/callback?code=a&state=b",
    "http://127.0.0.1:43117/callback",
    "http://127.0.0.1:43117/callback.attacker.example/?code=a",
    "https://attacker.example/?code=SECRET-CODE",
    "two words",
    "\u001b[2Jcode",
    "c".repeat(10_000)
  ])("F75: %j is not the address, and is not quoted", (line) =>
    Effect.gen(function* () {
      const { result, shown } = yield* paste([line, line, line], unpromised)
      const error = result._tag === "Failure" ? result.failure : assert.fail("it was taken")
      assert.include(error.message, "begins with http://127.0.0.1:43117/callback?")
      for (const text of [error.message, ...shown.slice(1)]) assert.notMatch(text, /SECRET|\p{Cc}(?<!\n)|cccc/u)
    })
  )

  it.effect("what the authorization server refuses with is said", () =>
    Effect.gen(function* () {
      const error = yield* failureOf([(notice) => ended(notice, { error: "access_denied", error_description: "no" })])
      assert.include(error.message, "access was denied: no")
    })
  )

  it.effect("without a terminal it fails at once, and nothing is prepared", () =>
    Effect.gen(function* () {
      const unprepared = { ...request, authorizationUrl: () => Effect.die(new Error("it was prepared")) }
      const { prompt } = yield* ScriptedPrompt.make()
      for (const terminal of [{}, { show: prompt.show }, { ask: prompt.ask }, { ...prompt, isSeen: false }]) {
        const error = yield* Effect.flip(authorize(terminal, unprepared))
        assert.strictEqual(error._tag, "SignInRequired")
        assert.match(error.message, /there is no terminal .*letterhead login linear/)
      }
    })
  )

  it.effect("who gives up is told how to begin again", () =>
    Effect.gen(function* () {
      assert.include((yield* failureOf([])).message, "no address was pasted; to try again, sign in once more")
    })
  )

  it.effect("F75: after five minutes it gives up", () =>
    Effect.gen(function* () {
      const { next, prompt } = yield* ScriptedPrompt.make()
      const signing = yield* Effect.forkChild(Effect.flip(authorize({ ...prompt, ask: () => Effect.never })))
      yield* next
      yield* TestClock.adjust(SIGN_IN_LIMIT)
      assert.include((yield* Fiber.join(signing)).message, "within 5 minutes")
    })
  )

  it.effect("F74: an address that is none for a browser is not shown", () =>
    Effect.gen(function* () {
      const { prompt, shown } = yield* ScriptedPrompt.make()
      const hostile = { ...request, authorizationUrl: () => Effect.succeed(new URL("javascript:alert(1)")) }
      assert.include((yield* Effect.flip(authorize(prompt, hostile))).message, "it was not opened")
      assert.deepStrictEqual(shown, [])
    })
  )
})
