/** F50 for the sources: helpers, hooks, incoming headers, stored credentials. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import type { CallContext } from "@letterhead/core/call/CallContext"
import * as SecretStore from "@letterhead/core/secrets/SecretStore"
import type { ServerEntry } from "@letterhead/core/server/ServerEntry"
import { CallHooks, type CallHook } from "@letterhead/core/sources/CallHooks"
import { entry, type EntryOptions } from "@letterhead/testing/EntryFixture"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { chmodSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import {
  ADDED,
  CALL,
  HEADER,
  INCOMING,
  IN_URL,
  PRINTED,
  STORED,
  THROWN,
  TIMEOUT,
  expectNothing,
  outcome,
  resolve,
  scene
} from "./Canary.ts"
import { helperFaults, mismatch, provoke } from "./HelperFaults.ts"

const before = (body: string) => `export default { "mcp.call.before": async (input, output) => { ${body} } }`

const incoming = (...came: ReadonlyArray<readonly [name: string, value: string]>): CallContext => ({
  ...CALL,
  incoming: came.map(([name, value]) => ({ name, value: Redacted.make(value) }))
})

describe.concurrent("a source that fails", () => {
  it.live(
    "F50: no fault of a helper shows what it printed, what was added to its environment, or the headers beside it",
    () =>
      Effect.gen(function* () {
        const { evidence, folder, layerWith, state } = yield* scene
        const more: EntryOptions = {
          url: `https://mcp.example.com/mcp?key=${IN_URL}`,
          headers: { "X-Static": HEADER, "X-Variable": "${SECRET}" },
          helper: { command: [], environment: { API_TOKEN: ADDED, FROM_OUTSIDE: "${SECRET}" } }
        }
        const lenient = { ...more, helper: { command: [], onFailure: "static" as const } }
        const wrong = yield* Effect.forEach(
          helperFaults(PRINTED).flatMap((fault) => [
            { fault, options: more },
            ...(fault.row === "F8" || fault.row === "F10" ? [{ fault, options: lenient }] : [])
          ]),
          ({ fault, options }, index) =>
            Effect.gen(function* () {
              const { target } = yield* provoke(fault, `fault-${index}`, options)
              const exit = yield* evidence.observe(`${fault.row} ${fault.what}`, resolve(target))
              const expected = options === lenient ? { ...fault, outcome: "headers" as const } : fault
              return mismatch(expected, Exit.isSuccess(exit) ? "headers" : outcome(exit))
            }).pipe(Effect.scoped),
          { concurrency: "unbounded" }
        ).pipe(Effect.provide(layerWith()))
        assert.deepStrictEqual(
          wrong.filter((text) => text !== undefined),
          []
        )
        yield* evidence.keepFiles(folder)
        expectNothing(evidence)
        const counts = evidence.counts()
        for (const channel of ["log", "span", "error", "result", "arguments"] as const) {
          assert.isAbove(counts[channel], 0, channel)
        }
        assert.notInclude(readdirSync(folder), state)
      }).pipe(Effect.provide(NodeServices.layer)),
    TIMEOUT
  )

  it.live("F50: no time at which headers expire, and no helper that is renewed, shows one", () =>
    Effect.gen(function* () {
      const { evidence, folder, layerWith, write } = yield* scene
      const times = [
        ["F23", `"1969-12-31T23:59:59Z"`, "Success"],
        ["F23", `"${new Date(Date.UTC(2400, 0)).toISOString()}"`, "Success"],
        ["F23", `"${PRINTED}"`, "OutputInvalid"],
        ["F23", `{"${PRINTED}": "${PRINTED}"}`, "OutputInvalid"]
      ] as const
      for (const [index, [row, expires, tag]] of times.entries()) {
        const text = `{"headers": {"Authorization": ["Bearer ${PRINTED}"]}, "expires": ${expires}}`
        const file = write(`expires-${index}.sh`, `#!/bin/sh\necho '${text}'\n`, 0o755)
        const target = entry({ directory: folder, helper: { command: [file], environment: { API_TOKEN: ADDED } } })
        const twice = Effect.andThen(resolve(target), Effect.ignore(resolve(target)))
        const exit = yield* evidence.observe(row, Effect.provide(twice, layerWith()))
        assert.strictEqual(outcome(exit), tag, row)
      }
      assert.isAbove(evidence.counts().log, 0)
      expectNothing(evidence)
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it.live(
    "F50: no hook that fails shows what it threw or set",
    () =>
      Effect.gen(function* () {
        const { evidence, folder, layerWith, write } = yield* scene
        const modules = [
          `throw new Error("${THROWN}")`,
          before(`throw new Error("${THROWN}", { cause: "${THROWN}" })`),
          before(`throw "${THROWN}"`),
          before(`throw Object.assign(new Error("${THROWN}"), { code: "${THROWN}", name: "${THROWN}" })`),
          before(`output.headers["X-Key"] = "${THROWN}\\r\\n"`),
          before(`output.headers["Host"] = "${THROWN}"`),
          before(`output.headers["X Key"] = "${THROWN}"`),
          before(`output.headers = new Proxy({}, { ownKeys() { throw new Error("${THROWN}") } })`),
          before(
            `Object.defineProperty(output.headers, "X-Key", { enumerable: true, get() { throw new Error("${THROWN}") } })`
          ),
          before(`output.headers["X-Key"] = "${THROWN}".repeat(1000)`),
          before(`output.headers["X-Copy"] = output.headers["X-Helper"]`),
          before(`output.headers["X-Key"] = "${THROWN}"; await new Promise(() => {})`),
          `export default { "mcp.call.before": "${THROWN}" }`,
          `this is no module ${THROWN} "${THROWN}`
        ]
        const helper = {
          command: ["/bin/sh", "-c", `echo "$ANSWER"`],
          environment: { ANSWER: `{"X-Helper":"${PRINTED}"}` }
        }
        yield* Effect.forEach(
          modules,
          (text, index) =>
            Effect.gen(function* () {
              const hooks = [write(`hook-${index}.mjs`, text)]
              const target = entry({ name: `s-${index}`, directory: folder, hooks, helper, headers: { "X-A": HEADER } })
              const exit = yield* evidence.observe(`F80 ${index}`, resolve(target))
              assert.match(outcome(exit), /^(HookFailed|HeaderInvalid|HeaderForbidden|HeaderTooLarge)$/, text)
            }),
          { concurrency: "unbounded", discard: true }
        ).pipe(Effect.provide(layerWith()))

        const native: ReadonlyArray<CallHook["run"]> = [
          () => Effect.fail({ _tag: "Canary", message: THROWN }),
          () => Effect.fail(THROWN),
          () => Effect.die(new Error(THROWN)),
          () => {
            throw new Error(THROWN)
          },
          () => Effect.succeed({ "X-Key": `${THROWN}\n` }),
          () => Effect.succeed({ "Mcp-Session-Id": THROWN })
        ]
        for (const [index, run] of native.entries()) {
          const layer = Layer.provide(layerWith(), Layer.succeed(CallHooks, [{ name: `native-${index}`, run }]))
          const exit = yield* evidence.observe(`F80 native ${index}`, Effect.provide(resolve(entry()), layer))
          assert.notStrictEqual(outcome(exit), "Success")
        }
        expectNothing(evidence)
      }).pipe(Effect.provide(NodeServices.layer)),
    TIMEOUT
  )

  it.live("F50, F73: no name of a server takes a stored credential out of its folder, or shows it", () =>
    Effect.gen(function* () {
      const { evidence, folder, layerWith } = yield* scene
      const credentials = [{ name: "API_KEY", headerName: "X-Api-Key", sensitive: true, required: true }]
      for (const name of ["../../x", "a/b", "nul\0nul", "x".repeat(300), "Twin", "twin", "\u202e", ""]) {
        const key = { principal: "local", origin: "https://mcp.example.com", server: name, field: "API_KEY" }
        const secret = Redacted.make(`${STORED}${name.length}`)
        const program = Effect.gen(function* () {
          const set = Effect.flatMap(SecretStore.SecretStore, (store) => store.set(key, secret))
          yield* evidence.observe("F73 set", set)
          yield* evidence.observe("F73", resolve(entry({ name, credentials, headers: { "X-Static": HEADER } })))
          yield* evidence.observe(
            "F73 list",
            Effect.flatMap(SecretStore.SecretStore, (store) => store.list)
          )
        })
        yield* Effect.provide(program, layerWith())
      }
      assert.deepStrictEqual(readdirSync(folder), ["credentials"])
      for (const file of readdirSync(join(folder, "credentials"))) {
        assert.strictEqual(statSync(join(folder, "credentials", file)).mode & 0o777, 0o600, file)
      }
      expectNothing(evidence)
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it.live("F50: no incoming header and no stored credential that is refused shows one", () =>
    Effect.gen(function* () {
      const { evidence, folder, layerWith } = yield* scene
      const passthrough = [{ name: "x-key", required: true }]
      const credentials = [{ name: "API_KEY", headerName: "X-Api-Key", sensitive: true, required: true }]
      const key = { principal: "local", origin: "https://mcp.example.com", server: "example", field: "API_KEY" }
      const expect = Effect.fnUntraced(function* (row: string, target: ServerEntry, call: CallContext, tag: string) {
        const exit = yield* evidence.observe(row, Effect.provide(resolve(target, call), layerWith()))
        assert.strictEqual(outcome(exit), tag, row)
      })
      const passing = entry({ passthrough, headers: { "X-Static": HEADER } })
      yield* expect("F49", passing, incoming(["x-key", INCOMING]), "Success")
      yield* expect("F49", passing, incoming(["x-key", INCOMING], ["X_KEY", INCOMING]), "HeaderInvalid")
      yield* expect("F49", passing, incoming(["x-key", `${INCOMING}\r\n`]), "HeaderInvalid")
      yield* expect("F49", passing, incoming(["x-unlisted", INCOMING]), "IncomingMissing")

      const stored = entry({ credentials, headers: { "X-Static": HEADER } })
      yield* expect("credential", stored, CALL, "CredentialMissing")
      const set = (value: string) =>
        Effect.gen(function* () {
          yield* (yield* SecretStore.SecretStore).set(key, Redacted.make(value))
        }).pipe(Effect.provide(layerWith()))
      yield* evidence.observe("set", set(STORED))
      yield* expect("credential", stored, CALL, "Success")
      yield* evidence.observe("set", set(`${STORED}\u0007`))
      yield* expect("credential", stored, CALL, "HeaderInvalid")

      const store = join(folder, "credentials")
      const [name = ""] = readdirSync(store).filter((file) => file.endsWith(".json"))
      for (const [row, text] of [
        ["F68", `{"${STORED}`],
        ["F68", `{"version": 1, "key": "${STORED}", "value": ["${STORED}"]}`],
        ["F68", STORED]
      ] as const) {
        writeFileSync(join(store, name), text, { mode: 0o600 })
        yield* expect(row, stored, CALL, "CredentialMissing")
      }
      yield* evidence.observe("set", set(STORED))
      chmodSync(join(store, name), 0o644)
      yield* expect("F69", stored, CALL, "Success")
      rmSync(join(store, name))
      mkdirSync(join(store, name))
      yield* evidence.observe("F69", Effect.provide(resolve(stored), layerWith()))
      yield* evidence.observe("F66", set(STORED))
      chmodSync(store, 0o777)
      yield* expect("F69", stored, CALL, "SecretStoreFailed")

      for (const file of readdirSync(folder)) if (file !== "credentials") yield* evidence.keepFiles(join(folder, file))
      expectNothing(evidence)
    }).pipe(Effect.provide(NodeServices.layer))
  )
})
