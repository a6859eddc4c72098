import { assert, it } from "@effect/vitest"
import { HOOK_BUDGET } from "@letterhead/core/sources/Hook"
import * as HookSource from "@letterhead/core/sources/HookSource"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import { services, hooked, before, below, apply } from "./HookModules.ts"

it.effect("a hook is told the server, the tool, the session, the call and the method", () =>
  Effect.gen(function* () {
    const server = yield* hooked(before(`output.headers["X-Facts"] = JSON.stringify(input)`))
    const resolved = yield* apply(yield* HookSource.make, server)
    assert.deepStrictEqual(JSON.parse(resolved.reveal()[0]?.[1] ?? ""), {
      server: "example",
      tool: "echo",
      sessionID: "session-1",
      callID: "call-1",
      method: "tools/call"
    })
  }).pipe(Effect.provide(services))
)

it.effect("hooks add, override and remove, names compared without regard to case", () =>
  Effect.gen(function* () {
    const server = yield* hooked(
      before(`
        output.headers["x-session-id"] = input.sessionID
        output.headers["X-STATIC"] = output.headers["x-static"] + " and more"
        delete output.headers["X-Gone"]
      `)
    )
    const resolved = yield* apply(yield* HookSource.make, server, {
      under: below({ "X-Static": "static", "x-gone": "gone", "x-kept": "kept" })
    })
    assert.deepStrictEqual(Object.fromEntries(resolved.reveal().map(([name, value]) => [name.toLowerCase(), value])), {
      "x-session-id": "session-1",
      "x-static": "static and more",
      "x-kept": "kept"
    })
    assert.strictEqual(resolved.provenance.find((field) => field.name === "x-gone")?.notSent, "removed by hook")
  }).pipe(Effect.provide(services))
)

it.effect("each hook sees what the one before left", () =>
  Effect.gen(function* () {
    const server = yield* hooked(
      before(`output.headers["X-Order"] = "1"`),
      before(`output.headers["x-order"] += "2"`),
      before(`output.headers["X-ORDER"] += "3"`)
    )
    const resolved = yield* apply(yield* HookSource.make, server)
    assert.strictEqual(resolved.reveal()[0]?.[1], "123")
    assert.include(resolved.provenance[0]?.declared ?? "", "hook-2.mjs")
  }).pipe(Effect.provide(services))
)

it.effect("an empty or undefined value is not sent, and is no error", () =>
  Effect.gen(function* () {
    const server = yield* hooked(
      before(`
        output.headers["X-User-Id"] = ""
        output.headers["X-None"] = undefined
        output.headers["x-static"] = ""
      `)
    )
    const resolved = yield* apply(yield* HookSource.make, server, { under: below({ "X-Static": "value" }) })
    assert.deepStrictEqual(resolved.reveal(), [])
    assert.deepStrictEqual(
      resolved.provenance.map((field) => field.notSent),
      ["removed by hook", "its value is empty", "its value is empty"]
    )
  }).pipe(Effect.provide(services))
)

it.effect("values of other sources than static are masked, and a mask left alone keeps the value", () =>
  Effect.gen(function* () {
    const server = yield* hooked(
      before(`output.headers["X-Saw"] = String(output.headers["authorization"].includes("canary"))`)
    )
    const resolved = yield* apply(yield* HookSource.make, server, {
      under: below({ Authorization: "Bearer canary-secret" }, "helper")
    })
    assert.deepStrictEqual(resolved.reveal(), [
      ["Authorization", "Bearer canary-secret"],
      ["X-Saw", "false"]
    ])
  }).pipe(Effect.provide(services))
)

it.effect("a mask copied into another header is refused, not sent", () =>
  Effect.gen(function* () {
    const server = yield* hooked(before(`output.headers["X-Copy"] = output.headers["authorization"]`))
    const error = yield* Effect.flip(
      apply(yield* HookSource.make, server, { under: below({ Authorization: "Bearer canary-secret" }, "helper") })
    )
    assert.strictEqual(error.reason._tag, "HeaderInvalid")
  }).pipe(Effect.provide(services))
)

it.effect("a retry of the same call gets the same changes without another run", () =>
  Effect.gen(function* () {
    const server = yield* hooked(
      before(`output.headers["X-Run"] = String((globalThis.hookRuns = (globalThis.hookRuns ?? 0) + 1))`)
    )
    const source = yield* HookSource.make
    const first = yield* apply(source, server)
    const retried = yield* apply(source, server, { before: first })
    const resumed = yield* apply(source, server, { before: retried })
    const other = yield* apply(source, server)
    assert.deepStrictEqual(retried.reveal(), first.reveal())
    assert.deepStrictEqual(resumed.reveal(), first.reveal())
    assert.notDeepEqual(other.reveal(), first.reveal())
  }).pipe(Effect.provide(services))
)

it.effect("hooks that changed nothing do not run again for a retry either", () =>
  Effect.gen(function* () {
    const server = yield* hooked(
      before(`if (globalThis.hookWasHere) output.headers["X-Again"] = "yes"; globalThis.hookWasHere = true`)
    )
    const source = yield* HookSource.make
    const first = yield* apply(source, server)
    assert.deepStrictEqual((yield* apply(source, server, { before: first })).reveal(), [])
    assert.deepStrictEqual((yield* apply(source, server)).reveal(), [["X-Again", "yes"]])
  }).pipe(Effect.provide(services))
)

it.effect("hooks do not run for what the connection sends of its own accord", () =>
  Effect.gen(function* () {
    const server = yield* hooked(before(`output.headers["X-Session-Id"] = input.sessionID`))
    const resolved = yield* apply(yield* HookSource.make, server, { call: { principal: "local" } })
    assert.deepStrictEqual(resolved.reveal(), [])
  }).pipe(Effect.provide(services))
)

it.effect("a call without a session fails where a hook would be told of one", () =>
  Effect.gen(function* () {
    const server = yield* hooked(before(""))
    const error = yield* Effect.flip(
      apply(yield* HookSource.make, server, { call: { principal: "local", method: "tools/call" } })
    )
    assert.strictEqual(error.reason._tag, "CallContextMissing")
  }).pipe(Effect.provide(services))
)

it.effect("F80: what a hook changes after it settled does nothing", () =>
  Effect.gen(function* () {
    const server = yield* hooked(
      before(`
        output.headers["X-Now"] = "now"
        globalThis.keptHeaders = output.headers
      `),
      before(`globalThis.keptHeaders["X-Late"] = "late"`)
    )
    const resolved = yield* apply(yield* HookSource.make, server)
    assert.deepStrictEqual(resolved.reveal(), [["X-Now", "now"]])
  }).pipe(Effect.provide(services))
)

it.effect("F80: a hook that throws fails the call, and its text is not shown", () =>
  Effect.gen(function* () {
    const server = yield* hooked(before(`throw new RangeError("canary-secret")`))
    const error = yield* Effect.flip(apply(yield* HookSource.make, server))
    assert.strictEqual(error.reason._tag, "HookFailed")
    assert.include(error.message, "RangeError")
    assert.notInclude(JSON.stringify(error) + error.message + String(error.stack), "canary-secret")
  }).pipe(Effect.provide(services))
)

it.effect("F80: a hook that never settles fails the call at its budget", () =>
  Effect.gen(function* () {
    const server = yield* hooked(before(`await new Promise(() => {})`))
    const source = yield* HookSource.make
    // Loading is real input and output; only the hook itself waits on the test's clock.
    yield* Effect.flip(apply(source, server, { call: { principal: "local", method: "tools/call" } }))
    const running = yield* Effect.forkChild(Effect.flip(apply(source, server)))
    const ticking = yield* Effect.forkChild(
      Effect.forever(Effect.andThen(TestClock.adjust(HOOK_BUDGET), TestClock.withLive(Effect.sleep(5))))
    )
    const error = yield* Fiber.join(running)
    yield* Fiber.interrupt(ticking)
    assert.strictEqual(error.reason._tag, "HookFailed")
    assert.include(error.message, "did not settle within 5000 ms")
  }).pipe(Effect.provide(services))
)

it.effect("F80: a hook that leaves a proxy or no object at all fails closed or leaves nothing", () =>
  Effect.gen(function* () {
    const server = yield* hooked(
      before(`output.headers = new Proxy({}, { ownKeys() { throw new Error("canary-secret") } })`)
    )
    const error = yield* Effect.flip(apply(yield* HookSource.make, server))
    assert.strictEqual(error.reason._tag, "HookFailed")
    assert.notInclude(error.message, "canary-secret")
  }).pipe(Effect.provide(services))
)

it.effect(
  "a hook that sets a protocol-owned name or a line break is an error that names the hook and not the value",
  () =>
    Effect.gen(function* () {
      for (const [name, reason] of [
        ["Mcp-Method", "HeaderForbidden"],
        ["X-Broken", "HeaderInvalid"]
      ] as const) {
        const server = yield* hooked(before(`output.headers["${name}"] = "canary\\r\\nsecret"`))
        const error = yield* Effect.flip(apply(yield* HookSource.make, server))
        assert.strictEqual(error.reason._tag, reason)
        assert.include(error.message, "source hook")
        assert.include(error.message, name)
        assert.notInclude(error.message, "canary")
      }
    }).pipe(Effect.provide(services))
)

it.effect("what a hook did for one server is not applied to another that is asked in the same context", () =>
  Effect.gen(function* () {
    const first = yield* hooked(before(`output.headers["X-For"] = input.server`))
    const source = yield* HookSource.make
    for (const name of ["first", "second", "first"]) {
      const resolved = yield* apply(source, name === "first" ? first : { ...first, name })
      assert.deepStrictEqual(resolved.reveal(), [["X-For", name === "first" ? first.name : name]])
    }
  }).pipe(Effect.provide(services))
)

it.effect("a hook is called as the method that it is", () =>
  Effect.gen(function* () {
    const server = yield* hooked(
      `export default { prefix: "own", "mcp.call.before"(input, output) { output.headers["X-This"] = this.prefix } }`
    )
    const resolved = yield* apply(yield* HookSource.make, server)
    assert.deepStrictEqual(resolved.reveal(), [["X-This", "own"]])
  }).pipe(Effect.provide(services))
)

it.effect("F50: a name that a hook made and that is none is not shown, whatever was put there", () =>
  Effect.gen(function* () {
    for (const name of ["Bearer canary-secret", "canary-secret".repeat(40)]) {
      const server = yield* hooked(before(`output.headers[${JSON.stringify(name)}] = "value"`))
      const error = yield* Effect.flip(apply(yield* HookSource.make, server))
      assert.strictEqual(error.reason._tag, "HeaderInvalid")
      assert.include(error.message, `(${name.length} characters)`)
      assert.notInclude(error.message, "canary")
    }
  }).pipe(Effect.provide(services))
)
