/** Hooks that a runtime brings itself, beside modules and under the same rules. */
import { inspect } from "node:util"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { type CallContext, CurrentCall } from "@letterhead/core/call/CallContext"
import * as HeaderPatch from "@letterhead/core/headers/HeaderPatch"
import { merge } from "@letterhead/core/headers/ResolvedHeaders"
import type { ServerEntry } from "@letterhead/core/server/ServerEntry"
import { type CallHook, CallHooks, type HookChanges } from "@letterhead/core/sources/CallHooks"
import { nothingSoFar, Rank } from "@letterhead/core/sources/HeaderSource"
import { HOOK_BUDGET } from "@letterhead/core/sources/Hook"
import * as HookSource from "@letterhead/core/sources/HookSource"
import { entry } from "@letterhead/testing/EntryFixture"
import * as MockTrustGate from "@letterhead/testing/mocks/MockTrustGate"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Path from "effect/Path"
import * as Result from "effect/Result"
import * as TestClock from "effect/testing/TestClock"

const services = Layer.merge(NodeServices.layer, MockTrustGate.layerPermitAll)

const CALL: CallContext = {
  principal: "ada",
  sessionId: "session-1",
  callId: "call-1",
  method: "tools/call",
  tool: "echo"
}

const hook = (name: string, run: CallHook["run"], servers?: ReadonlyArray<string>): CallHook => ({
  name,
  run,
  ...(servers === undefined ? {} : { servers })
})

const sets = (changes: HookChanges) => () => Effect.succeed(changes)

const appends = (text: string) =>
  hook(text, (_input, headers) => Effect.succeed({ "x-order": `${headers["X-Order"]} ${text}` }))

/** What the hooks make of a call whose static headers are these; the helper's are a secret of theirs. */
const resolve = Effect.fnUntraced(function* (
  hooks: ReadonlyArray<CallHook>,
  options: {
    readonly server?: ServerEntry
    readonly call?: CallContext
    readonly fields?: Readonly<Record<string, string>>
    readonly secret?: Readonly<Record<string, string>>
  } = {}
) {
  const source = yield* Effect.provideService(HookSource.make, CallHooks, hooks)
  const below = [patch("static", Rank.static, options.fields ?? {}), patch("helper", Rank.helper, options.secret ?? {})]
  const soFar = Exit.succeed(Result.getOrThrow(merge(below)))
  const own = yield* source.resolve(options.server ?? entry(), options.call ?? CALL, () => soFar)
  return Result.getOrThrow(merge([...below, own]))
})

const patch = (source: string, rank: number, fields: Readonly<Record<string, string>>): HeaderPatch.HeaderPatch => ({
  ...HeaderPatch.empty(source, rank),
  set: Object.entries(fields).map(([name, value]) => Result.getOrThrow(HeaderPatch.setField(name, value, source)))
})

const moduleOf = Effect.fnUntraced(function* (body: string, extension = "mjs") {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const directory = yield* fs.makeTempDirectoryScoped()
  const file = path.join(directory, `hook.${extension}`)
  yield* fs.writeFileString(file, body)
  return entry({ hooks: [file], directory })
})

class LoginFailed extends Data.TaggedError("LoginFailed")<{ readonly text: string }> {}

describe("a hook of the runtime", () => {
  it.effect("is told of the call, principal included, and adds, overrides and removes", () =>
    Effect.gen(function* () {
      const resolved = yield* resolve(
        [
          hook("audit", (input, headers) =>
            Effect.map(CurrentCall, ({ principal }) => ({
              "X-Facts": [input.server, input.tool, input.sessionID, input.callID, input.method, principal].join(" "),
              "x-static": `${headers["X-STATIC"]} and more`,
              "X-GONE": undefined,
              "x-empty": "",
              "X-New": ""
            }))
          )
        ],
        { fields: { "X-Static": "static", "X-Gone": "gone", "X-Empty": "value", "X-Kept": "kept" } }
      )
      assert.deepStrictEqual(
        new Map(resolved.reveal().map(([name, value]) => [name.toLowerCase(), value])),
        new Map([
          ["x-static", "static and more"],
          ["x-kept", "kept"],
          ["x-facts", "example echo session-1 call-1 tools/call ada"]
        ])
      )
      assert.deepInclude(resolved.get("x-facts"), { source: "hook", declared: "audit of the runtime" })
      const why = new Map(resolved.provenance.map((field) => [field.name.toLowerCase(), field.notSent]))
      assert.strictEqual(why.get("x-gone"), "removed by hook")
      assert.strictEqual(why.get("x-empty"), "removed by hook")
      assert.strictEqual(why.get("x-new"), "its value is empty")
    }).pipe(Effect.provide(services))
  )

  it.effect("runs in order, each sees the one before; the modules of the entry first", () =>
    Effect.gen(function* () {
      const server = yield* moduleOf(
        `export default { "mcp.call.before": async (input, output) => { output.headers["X-Order"] = "module" } }`
      )
      const resolved = yield* resolve([appends("one"), appends("two")], { server })
      assert.deepStrictEqual(resolved.reveal(), [["x-order", "module one two"]])
      assert.strictEqual(resolved.get("X-Order")?.declared, "two of the runtime")
    }).pipe(Effect.provide(services))
  )

  it.effect("concerns the servers it names, and all where it names none", () =>
    Effect.gen(function* () {
      const hooks = [
        hook("all", sets({ "X-All": "1" })),
        hook("some", sets({ "X-Some": "1" }), ["example", "second"]),
        hook("other", sets({ "X-Other": "1" }), ["second"])
      ]
      const names = (server: ServerEntry) =>
        Effect.map(resolve(hooks, { server }), (resolved) => resolved.reveal().map(([name]) => name))
      assert.deepStrictEqual(yield* names(entry()), ["X-All", "X-Some"])
      assert.deepStrictEqual(yield* names(entry({ name: "second" })), ["X-All", "X-Some", "X-Other"])
      assert.deepStrictEqual(yield* names(entry({ name: "third" })), ["X-All"])
    }).pipe(Effect.provide(services))
  )

  it.effect("sees masks for what is not the configuration's own text, and cannot send one", () =>
    Effect.gen(function* () {
      const secret = { Authorization: "Bearer canary-secret" }
      const seen = yield* resolve(
        [
          hook("look", (_input, headers) =>
            Effect.succeed({ "X-Saw": String(JSON.stringify(headers).includes("canary")) })
          )
        ],
        { secret }
      )
      assert.deepStrictEqual(seen.reveal(), [
        ["Authorization", "Bearer canary-secret"],
        ["X-Saw", "false"]
      ])
      const copied = yield* Effect.flip(
        resolve([hook("copy", (_input, headers) => Effect.succeed({ "X-Copy": headers["authorization"] }))], { secret })
      )
      assert.strictEqual(copied.reason._tag, "HeaderInvalid")
    }).pipe(Effect.provide(services))
  )

  it.effect("does not run for what the connection sends itself, and not without a session", () =>
    Effect.gen(function* () {
      const hooks = [hook("any", sets({ "X-A": "1" }))]
      for (const method of [undefined, "initialize", "ping", "notifications/cancelled"]) {
        const call = { principal: "ada", ...(method === undefined ? {} : { method }) }
        assert.deepStrictEqual((yield* resolve(hooks, { call })).reveal(), [])
      }
      for (const method of HookSource.HOOKED_METHODS) {
        assert.deepStrictEqual((yield* resolve(hooks, { call: { ...CALL, method } })).reveal(), [["X-A", "1"]])
        const error = yield* Effect.flip(resolve(hooks, { call: { principal: "ada", method } }))
        assert.strictEqual(error.reason._tag, "CallContextMissing")
      }
    }).pipe(Effect.provide(services))
  )

  it.effect("runs once per call: retries get the same changes", () => {
    let runs = 0
    return Effect.gen(function* () {
      const counting = [hook("count", () => Effect.sync(() => ({ "X-Run": String(++runs) })))]
      const source = yield* Effect.provideService(HookSource.make, CallHooks, counting)
      const server = entry()
      const first = yield* source.resolve(server, CALL, nothingSoFar)
      const sent = Result.getOrThrow(merge([first]))
      assert.strictEqual(yield* source.resolve(server, CALL, nothingSoFar, sent), first)
      yield* source.resolve(server, CALL, nothingSoFar)
      assert.strictEqual(runs, 2)
    }).pipe(Effect.provide(services))
  })
})

describe("F80: a hook of the runtime that", () => {
  const failing: ReadonlyArray<readonly [what: string, run: CallHook["run"], says: string]> = [
    ["fails", () => Effect.fail(new LoginFailed({ text: "canary" })), "failed (LoginFailed)"],
    ["fails with a text", () => Effect.fail("canary"), "failed (not an Error)"],
    ["dies", () => Effect.die(new RangeError("canary")), "died (RangeError)"],
    [
      "throws before it makes an effect",
      () => {
        throw new SyntaxError("canary")
      },
      "died (SyntaxError)"
    ],
    ["interrupts itself", () => Effect.interrupt, "was interrupted"],
    [
      "returns a proxy that throws",
      sets(
        new Proxy(
          {},
          {
            ownKeys: () => {
              throw new TypeError("canary")
            }
          }
        )
      ),
      "died (TypeError)"
    ]
  ]
  for (const [what, run, says] of failing) {
    it.effect(`${what} fails the call, and shows no word of its own`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(resolve([hook("mine", run)]))
        assert.strictEqual(error.reason._tag, "HookFailed")
        assert.strictEqual(error.message, `server "example", source hook: the hook mine ${says}`)
        assert.notInclude(inspect(error, { depth: 10 }) + JSON.stringify(error) + String(error.stack), "canary")
      }).pipe(Effect.provide(services))
    )
  }

  for (const [what, never] of [
    ["never settles", Effect.never],
    ["never settles and cannot be interrupted", Effect.uninterruptible(Effect.never)]
  ] as const) {
    it.effect(`${what} fails the call at its budget`, () =>
      Effect.gen(function* () {
        const running = yield* Effect.forkChild(Effect.flip(resolve([hook("mine", () => never)])))
        yield* TestClock.adjust(HOOK_BUDGET - 1)
        assert.isUndefined(running.pollUnsafe())
        yield* TestClock.adjust(1)
        const error = yield* Fiber.join(running)
        assert.strictEqual(error.reason._tag, "HookFailed")
        assert.include(error.message, "did not settle within 5000 ms")
      }).pipe(Effect.provide(services))
    )
  }

  it.effect("is running ends with the call that is interrupted", () => {
    let ended = false
    return Effect.gen(function* () {
      const waiting = hook("mine", () =>
        Effect.onInterrupt(Effect.never, () =>
          Effect.sync(() => {
            ended = true
          })
        )
      )
      const running = yield* Effect.forkChild(resolve([waiting]))
      yield* TestClock.adjust(1)
      const exit = yield* Effect.andThen(Fiber.interrupt(running), Fiber.await(running))
      assert.isTrue(Exit.hasInterrupts(exit))
      yield* TestClock.adjust(1)
      assert.isTrue(ended)
    }).pipe(Effect.provide(services))
  })

  it.effect("changes its object after it settled, or the headers it was shown, changes nothing", () =>
    Effect.gen(function* () {
      const changes: Record<string, string> = { "X-Now": "now" }
      const shown: Array<HookChanges> = []
      const resolved = yield* resolve(
        [
          hook("first", (_input, headers) => {
            shown.push(headers)
            return Effect.succeed(changes)
          }),
          hook("second", () =>
            Effect.sync(() => {
              changes["X-Late"] = "late"
              Object.assign(shown[0] ?? {}, { "X-Static": "changed" })
              return {}
            })
          )
        ],
        { fields: { "X-Static": "static" } }
      )
      assert.deepStrictEqual(resolved.reveal(), [
        ["X-Static", "static"],
        ["X-Now", "now"]
      ])
    }).pipe(Effect.provide(services))
  )

  it.effect("sets what the protocol owns, or a line break, is an error without the value", () =>
    Effect.gen(function* () {
      for (const [changes, reason] of [
        [{ Host: "canary" }, "HeaderForbidden"],
        [{ "Proxy-Authorization": "canary" }, "HeaderForbidden"],
        [{ "X-A": "canary\r\nX-B: 1" }, "HeaderInvalid"]
      ] as const) {
        const error = yield* Effect.flip(resolve([hook("mine", sets(changes))]))
        assert.strictEqual(error.reason._tag, reason)
        assert.notInclude(inspect(error, { depth: 10 }), "canary")
      }
    }).pipe(Effect.provide(services))
  )
})
