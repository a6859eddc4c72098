import { assert, describe, it } from "@effect/vitest"
import { SignInFailed, TokenFailed } from "@letterhead/core/headers/HeaderError"
import * as DevicePrompt from "@letterhead/oauth/signin/DevicePrompt"
import * as PastedRedirect from "@letterhead/oauth/signin/PastedRedirect"
import { type DevicePoll, type DeviceRequest, SignIn } from "@letterhead/oauth/signin/SignIn"
import { SignInPrompt } from "@letterhead/oauth/signin/SignInPrompt"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"
import * as ScriptedPrompt from "./support/ScriptedPrompt.ts"

type Outcome = DevicePoll<string> | TokenFailed | SignInFailed

const PENDING: Outcome = { _tag: "Pending" }
const SLOW: Outcome = { _tag: "SlowDown" }
const DONE: Outcome = { _tag: "Done", value: "tokens" }
const UNREACHABLE = new TokenFailed({ description: "it cannot be reached" })

/** Answers each question in turn, the last one for ever; notes the second of each. */
const poll = (outcomes: ReadonlyArray<Outcome>) => {
  const asked: Array<number> = []
  const answer = Effect.flatMap(Clock.currentTimeMillis, (now): DeviceRequest<string>["poll"] => {
    asked.push(now / 1_000)
    const outcome = outcomes[Math.min(asked.length, outcomes.length) - 1] ?? PENDING
    return "message" in outcome ? Effect.fail(outcome) : Effect.succeed(outcome)
  })
  return { asked, answer }
}

const run = Effect.fnUntraced(function* (
  outcomes: ReadonlyArray<Outcome>,
  request: Partial<DeviceRequest<string>> = {},
  seconds = 3_600
) {
  const { prompt, shown } = yield* ScriptedPrompt.make()
  const { answer, asked } = poll(outcomes)
  const signing = yield* DevicePrompt.authorize(
    {
      server: "linear",
      verificationUri: "https://issuer.example/device",
      userCode: "WDJB-MJHT",
      expiresIn: 900,
      poll: answer,
      ...request
    },
    prompt
  ).pipe(Effect.result, Effect.forkChild)
  yield* TestClock.adjust(seconds * 1_000)
  return { asked, shown, result: yield* Fiber.join(signing) }
})

const messageOf = (...parameters: Parameters<typeof run>) =>
  Effect.map(run(...parameters), ({ result, shown }) => ({
    shown,
    message: result._tag === "Failure" ? result.failure.message : assert.fail("it was done")
  }))

describe("signing in by a code on another device", () => {
  it.effect("shows the address and the code, and asks every five seconds until it is done", () =>
    Effect.gen(function* () {
      const { asked, result, shown } = yield* run([PENDING, PENDING, DONE])
      assert.strictEqual(result._tag === "Success" && result.success, "tokens")
      assert.deepStrictEqual(asked, [5, 10, 15])
      assert.include(shown[0], "https://issuer.example/device")
      assert.include(shown[0], "enter this code: WDJB-MJHT")
      assert.include(shown[0], "good for 15 minutes")
    })
  )

  it.effect("shows the address with the code in it where there is one", () =>
    Effect.gen(function* () {
      const complete = "https://issuer.example/device?user_code=WDJB-MJHT"
      assert.include((yield* run([DONE], { verificationUriComplete: complete })).shown[0], complete)
    })
  )

  it.effect("asks as seldom as it is told to, and five seconds more each time that it is told to slow down", () =>
    Effect.gen(function* () {
      const { asked } = yield* run([PENDING, SLOW, SLOW, PENDING, DONE], { interval: 10 })
      assert.deepStrictEqual(asked, [10, 20, 35, 55, 75])
    })
  )

  it.effect.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])("an interval of %d is five seconds", (interval) =>
    Effect.gen(function* () {
      assert.deepStrictEqual((yield* run([DONE], { interval })).asked, [5])
    })
  )

  it.effect("asks again more slowly where the authorization server cannot be reached, and not for ever", () =>
    Effect.gen(function* () {
      const { asked, result } = yield* run([UNREACHABLE, UNREACHABLE, PENDING, UNREACHABLE, DONE])
      assert.deepStrictEqual(asked, [5, 15, 30, 45, 65])
      assert.strictEqual(result._tag, "Success")
      assert.include((yield* messageOf([UNREACHABLE])).message, "cannot be reached")
    })
  )

  it.effect("a refusal ends it", () =>
    Effect.gen(function* () {
      const refused = new SignInFailed({ description: "access was denied" })
      const { asked, result } = yield* run([PENDING, refused])
      assert.strictEqual(result._tag === "Failure" && result.failure, refused)
      assert.lengthOf(asked, 2)
    })
  )

  it.effect("ends when the code expires, and within half an hour", () =>
    Effect.gen(function* () {
      assert.include((yield* messageOf([PENDING], { expiresIn: 60 }, 60)).message, "before it expired; sign in again")
      for (const expiresIn of [1e12, Number.NaN, -1]) {
        assert.include((yield* messageOf([PENDING], { expiresIn }, 1_800)).message, "before it expired")
      }
    })
  )

  it.effect.each(["file:///etc/passwd", "javascript:alert(1)", "$(touch x)", "--flag", "http://issuer.example/device"])(
    "F74: the address %s is not shown, and nothing is asked",
    (address) =>
      Effect.gen(function* () {
        for (const hostile of [{ verificationUri: address }, { verificationUriComplete: address }]) {
          const { asked, result, shown } = yield* run([DONE], hostile)
          assert.strictEqual(result._tag === "Failure" && result.failure._tag, "SignInFailed")
          assert.deepStrictEqual([shown, asked], [[], []])
        }
      })
  )

  it.effect("F74: a code is shown escaped, and one that nobody could enter not at all", () =>
    Effect.gen(function* () {
      const { shown } = yield* run([DONE], { userCode: "AB\u001b[2J\u202eCD" })
      assert.include(shown[0], "enter this code: AB\\u{1b}[2J\\u{202e}CD\n")
      for (const userCode of ["", "A".repeat(DevicePrompt.CODE_LIMIT + 1)]) {
        const { message, shown: none } = yield* messageOf([DONE], { userCode })
        assert.include(message, "no code that a person could enter")
        assert.deepStrictEqual(none, [])
      }
    })
  )

  it.effect("without a terminal it fails at once, and the layer has no codes", () =>
    Effect.gen(function* () {
      const { prompt } = yield* ScriptedPrompt.make()
      for (const nobody of [{}, { ...prompt, isSeen: false }]) {
        const error = yield* Effect.flip(
          DevicePrompt.authorize(
            {
              server: "linear",
              verificationUri: "https://issuer.example/device",
              userCode: "WDJB-MJHT",
              expiresIn: 900,
              poll: Effect.die(new Error("it was asked"))
            },
            nobody
          )
        )
        assert.strictEqual(error._tag, "SignInRequired")
        assert.include(error.message, "letterhead login linear")
        const layer = Layer.provide(PastedRedirect.layer, Layer.succeed(SignInPrompt, nobody))
        assert.isUndefined((yield* Effect.provide(SignIn, layer)).device)
      }
    })
  )
})
