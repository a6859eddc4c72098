/**
 * The keychain's store against its laws and its faults: without a keychain, with one that hangs, and, where Debian's
 * gnome-keyring is installed, with a real Secret Service that is locked, killed and emptied by hand.
 */
import { spawn } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"
import { createServer } from "node:net"
import { join } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { HeaderError, SecretStoreFailed } from "@letterhead/core/headers/HeaderError"
import { SecretStore } from "@letterhead/core/secrets/SecretStore"
import { PROBE_LIMIT, read as readOf } from "@letterhead/keychain/Keychain"
import { accountOf } from "@letterhead/keychain/KeychainAccount"
import { KEYCHAIN, layer, type StoreOptions } from "@letterhead/keychain/KeychainStore"
import { CANARY, key, laws } from "@letterhead/testing/laws/SecretStoreLaws"
import { Entry } from "@napi-rs/keyring"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { bareEnvironment, type SecretService, start, temporaryDirectory, unavailable } from "./SecretService.ts"

process.stderr.write(
  unavailable === undefined
    ? "keychain: the suite runs against a Secret Service, and without one\n"
    : `keychain: the suite runs without a Secret Service only: ${unavailable}\n`
)

const own = key({})
const secret = (name: string) => Redacted.make(`${CANARY}-${name}`)

type Environment = StoreOptions["environment"]

const storeIn = (directory: string, environment: Environment, service = "letterhead-test") =>
  Layer.provide(layer({ service, environment: environment ?? {}, fallback: { directory } }), NodeServices.layer)

const KERNEL_SERVICE = `letterhead-test-${process.pid}`
const inKernel = (account: string) => new Entry(KERNEL_SERVICE, account, { linux: { store: "keyutils" } })

/** Containers often have none. */
const hasKernelKeyring = ((): boolean => {
  if (process.platform !== "linux") return false
  try {
    inKernel("probe").setPassword("x")
    return inKernel("probe").deletePassword()
  } catch {
    return false
  }
})()

/** Runs against a store of its own; its answer, and what was logged. */
const inStore = Effect.fnUntraced(function* <A, E>(
  directory: string,
  environment: Environment,
  use: (store: SecretStore["Service"]) => Effect.Effect<A, E>
) {
  const lines: Array<string> = []
  const logger = Logger.make<unknown, void>(({ message }) => void lines.push(String(message)))
  const answer = yield* Effect.flatMap(SecretStore, use).pipe(
    Effect.provide(Layer.merge(storeIn(directory, environment), Logger.layer([logger])))
  )
  assert.notInclude(lines.join("\n"), CANARY)
  return { answer, lines }
})

const read = (store: SecretStore["Service"]) =>
  Effect.map(store.get(own), (value) => Option.getOrUndefined(Option.map(value, Redacted.value)))

const failureOf = (error: unknown): string => {
  if (!(error instanceof HeaderError) || !(error.reason instanceof SecretStoreFailed)) {
    throw new Error(`not a failure of the store: ${String(error)}`)
  }
  return error.message
}

/** What lies in the files of the fallback. */
const filesOf = (directory: string): string =>
  readdirSync(directory)
    .map((name) => readFileSync(join(directory, name), "utf8"))
    .join("\n")

const folder = Effect.map(temporaryDirectory, (home) => ({
  directory: join(home, "credentials"),
  bare: bareEnvironment(home)
}))

/** A service and a folder of its own for `body`. */
const withService = <A, E>(
  body: (
    service: SecretService,
    directory: string,
    bare: Readonly<Record<string, string>>
  ) => Effect.Effect<A, E, Scope.Scope>
) =>
  Effect.gen(function* () {
    const service = yield* start
    const { bare, directory } = yield* folder
    return yield* body(service, directory, bare)
  })

describe("without a keychain", () => {
  for (const { name, check } of laws) {
    it.live(name, () =>
      Effect.flatMap(folder, ({ bare, directory }) =>
        Effect.provide(check, Layer.merge(storeIn(directory, bare), Logger.layer([])))
      )
    )
  }

  it.live("F70: where there is no bus, secrets are kept in files, and that is said once", () =>
    Effect.gen(function* () {
      const { bare, directory } = yield* folder
      const { answer, lines } = yield* inStore(directory, bare, (store) =>
        Effect.gen(function* () {
          yield* store.set(own, secret("one"))
          yield* store.set(key({ field: "OTHER" }), secret("two"))
          return { value: yield* read(store), list: yield* store.list }
        })
      )
      assert.strictEqual(answer.value, `${CANARY}-one`)
      assert.deepStrictEqual(new Set(answer.list.map(({ keptIn }) => keptIn)), new Set([directory]))
      assert.strictEqual(lines.length, 1)
      assert.match(lines[0] ?? "", /^the keychain .*credentials are kept in files/)
      assert.include(lines[0], directory)
    })
  )

  it.live("F70: a bus that accepts and never answers holds nobody for longer than the probe may take", () =>
    Effect.gen(function* () {
      const { bare, directory } = yield* folder
      const socket = join(directory, "..", "bus")
      yield* Effect.acquireRelease(
        Effect.callback<ReturnType<typeof createServer>>((resume) => {
          const server = createServer(() => undefined)
          server.listen(socket, () => resume(Effect.succeed(server)))
        }),
        (server) => Effect.sync(() => server.close())
      )
      const environment = { ...bare, DBUS_SESSION_BUS_ADDRESS: `unix:path=${socket}` }
      const started = performance.now()
      let first = 0
      const { answer, lines } = yield* inStore(directory, environment, (store) =>
        Effect.gen(function* () {
          const all = [
            store.set(own, secret("one")),
            ...Array.from({ length: 10 }, () => store.get(key({ field: "B" })))
          ]
          yield* Effect.all(all, { concurrency: "unbounded" })
          first = performance.now() - started
          return yield* read(store)
        })
      )
      assert.strictEqual(answer, `${CANARY}-one`)
      assert.strictEqual(lines.length, 1)
      assert.include(lines[0], `did not answer within ${PROBE_LIMIT} ms`)
      // Generous: the machine may be busy; a call into the keychain itself would never return.
      assert.isAbove(first, PROBE_LIMIT - 100)
      assert.isBelow(first, PROBE_LIMIT + 3_000)
    })
  )

  it.live("a program that used the store ends by itself", () =>
    Effect.gen(function* () {
      const { bare, directory } = yield* folder
      assert.match(yield* programWith(directory, bare), /listed 1\ncode 0$/)
    })
  )

  it.live.skipIf(!hasKernelKeyring)(
    "F72: the kernel's keyring, which forgets, is not taken in the keychain's place",
    () =>
      Effect.gen(function* () {
        const { bare, directory } = yield* folder
        yield* Effect.flatMap(SecretStore, (store) => store.set(own, secret("one"))).pipe(
          Effect.provide(storeIn(directory, bare, KERNEL_SERVICE))
        )
        assert.isNull(inKernel(yield* accountOf(own)).getPassword())
        assert.include(filesOf(directory), `${CANARY}-one`)
      })
  )
})

describe("what another program keeps", () => {
  it.live("cannot be read where there is no keychain, and that is said at once", () =>
    Effect.gen(function* () {
      const { bare } = yield* folder
      const failure = yield* Effect.flip(readOf({ service: "another-program", environment: bare }, "notes"))
      assert.include(failure.message, "the keychain is not there")
    })
  )
})

describe("KeychainAccount", () => {
  it.effect("F73: an account begins with the server's name, is one printable line, and is no other key's", () =>
    Effect.gen(function* () {
      assert.match(yield* accountOf(own), /^linear API_KEY https:\/\/mcp\.example\.com #[0-9a-f]{64}$/)
      const names = ["../../x", "a\0b", "x".repeat(300), `${"x".repeat(299)}y`, "Twin", "twin", "a b", "a"]
      const accounts = yield* Effect.forEach(names, (server) =>
        accountOf(key({ server, field: server === "a" ? "b API_KEY" : "API_KEY" }))
      )
      assert.strictEqual(new Set(accounts.map((account) => account.toLowerCase())).size, names.length)
      for (const account of accounts) {
        assert.match(account, /^[\x20-\x7e]+$/)
        assert.isBelow(account.length, 512)
      }
    })
  )
})

describe.skipIf(unavailable !== undefined)("with a Secret Service", () => {
  it.live("every law of a secret store holds", () =>
    withService(({ environment }, directory) =>
      Effect.forEach(laws, ({ check, name }) =>
        Effect.mapError(Effect.provide(check, storeIn(directory, environment)), (cause) => ({ law: name, cause }))
      )
    )
  )

  it.live(
    "a secret is in the keychain and not in a file, and the platform's own tool finds it by the server's name",
    () =>
      withService(
        Effect.fnUntraced(function* ({ environment, tool }, directory) {
          const { answer, lines } = yield* inStore(directory, environment, (store) =>
            Effect.andThen(store.set(own, secret("one")), store.list)
          )
          assert.deepStrictEqual(answer, [{ ...own, keptIn: KEYCHAIN }])
          assert.deepStrictEqual(lines, [])
          assert.notInclude(filesOf(directory), CANARY)
          const found = yield* tool("secret-tool", ["search", "--all", "service", "letterhead-test"])
          assert.include(found, `${CANARY}-one`)
          assert.match(found, /attribute\.username = linear API_KEY https:\/\/mcp\.example\.com #/)
          assert.strictEqual(found.match(/^secret = /gm)?.length, 1, "the probe leaves nothing")
          assert.strictEqual((yield* inStore(directory, environment, read)).answer, `${CANARY}-one`)
        })
      )
  )

  it.live(
    "F71: a value that was saved in a file while the keychain was away counts, and what the keychain had does not",
    () =>
      withService(
        Effect.fnUntraced(function* ({ environment, tool }, directory, bare) {
          const valueWith = (of: Environment) => Effect.map(inStore(directory, of, read), ({ answer }) => answer)
          const set = (of: Environment, name: string) => inStore(directory, of, (store) => store.set(own, secret(name)))
          yield* set(environment, "one")
          yield* set(bare, "two")
          assert.strictEqual(yield* valueWith(bare), `${CANARY}-two`)
          assert.strictEqual(yield* valueWith(environment), `${CANARY}-two`)
          yield* set(environment, "three")
          assert.strictEqual(yield* valueWith(environment), `${CANARY}-three`)
          assert.notInclude(filesOf(directory), CANARY)
          assert.include(yield* tool("secret-tool", ["search", "service", "letterhead-test"]), `${CANARY}-three`)
        })
      )
  )

  it.live("F71: what the keychain holds and cannot give is an error, not an absent secret", () =>
    withService(
      Effect.fnUntraced(function* ({ environment }, directory, bare) {
        yield* inStore(directory, environment, (store) => store.set(own, secret("one")))
        const { answer } = yield* inStore(directory, bare, (store) => Effect.flip(store.get(own)))
        const said = failureOf(answer)
        assert.include(said, "cannot be reached now; unlock it")
        assert.include(said, "letterhead credential set linear API_KEY")
      })
    )
  )

  it.live(
    "F71, F78: what was removed while the keychain was away is not used again, and the error says what remains",
    () =>
      withService(
        Effect.fnUntraced(function* ({ environment, tool }, directory, bare) {
          yield* inStore(directory, environment, (store) => store.set(own, secret("one")))
          const { answer } = yield* inStore(directory, bare, (store) => Effect.flip(store.remove(own)))
          assert.include(failureOf(answer), "still holds API_KEY")
          assert.include(yield* tool("secret-tool", ["search", "service", "letterhead-test"]), `${CANARY}-one`)
          const later = yield* inStore(directory, environment, (store) => Effect.all([read(store), store.list]))
          assert.deepStrictEqual(later.answer, [undefined, []])
          yield* inStore(directory, environment, (store) => store.set(own, secret("two")))
          assert.strictEqual((yield* inStore(directory, environment, read)).answer, `${CANARY}-two`)
        })
      )
  )

  it.live("F71: a keychain that dies while it is in use is replaced by files at once, with one warning", () =>
    withService(
      Effect.fnUntraced(function* ({ environment, kill }, directory) {
        const { answer, lines } = yield* inStore(directory, environment, (store) =>
          Effect.gen(function* () {
            yield* store.set(own, secret("one"))
            yield* kill
            yield* store.set(own, secret("two"))
            yield* store.set(key({ field: "OTHER" }), secret("three"))
            return { value: yield* read(store), list: yield* store.list }
          })
        )
        assert.strictEqual(answer.value, `${CANARY}-two`)
        assert.deepStrictEqual(new Set(answer.list.map(({ keptIn }) => keptIn)), new Set([directory]))
        assert.strictEqual(lines.length, 1, lines.join("\n"))
      })
    )
  )

  it.live("F70: a locked keychain counts as not there, not as empty", () =>
    withService(
      Effect.fnUntraced(function* ({ environment, lock }, directory) {
        yield* inStore(directory, environment, (store) => store.set(own, secret("one")))
        yield* lock
        const { answer, lines } = yield* inStore(directory, environment, (store) =>
          Effect.gen(function* () {
            const error = yield* Effect.flip(store.get(own))
            yield* store.set(key({ field: "OTHER" }), secret("two"))
            return { error, list: yield* store.list }
          })
        )
        assert.include(failureOf(answer.error), "cannot be reached now")
        assert.deepStrictEqual(
          new Set(answer.list.map(({ field, keptIn }) => `${field} ${keptIn}`)),
          new Set([`API_KEY ${KEYCHAIN}`, `OTHER ${directory}`])
        )
        assert.strictEqual(lines.length, 1, lines.join("\n"))
      })
    )
  )

  it.live("what a person took out with the keychain's own tool is not set", () =>
    withService(
      Effect.fnUntraced(function* ({ environment, tool }, directory) {
        yield* inStore(directory, environment, (store) => store.set(own, secret("one")))
        yield* tool("secret-tool", ["clear", "service", "letterhead-test"])
        const { answer, lines } = yield* inStore(directory, environment, read)
        assert.strictEqual(answer, undefined)
        assert.deepStrictEqual(lines, [])
      })
    )
  )

  it.live("what another program keeps is read as it is, and nothing is written beside it", () =>
    withService(
      Effect.fnUntraced(function* ({ environment, tool }) {
        const attributes = ["service", "another-program", "username", "notes", "target", "default"]
        yield* tool("secret-tool", ["store", "--label=other", ...attributes], `${CANARY} of another`)
        const found = yield* readOf({ service: "another-program", environment }, "notes")
        assert.strictEqual(Option.getOrUndefined(Option.map(found, Redacted.value)), `${CANARY} of another`)
        const absent = yield* readOf({ service: "another-program", environment }, "other")
        assert.isTrue(Option.isNone(absent))
        const all = yield* tool("secret-tool", ["search", "--all", "service", "another-program"])
        assert.lengthOf(all.match(/^label = /gm) ?? [], 1)
      })
    )
  )

  it.live("what somebody else put in the secret's place is not used, and not shown", () =>
    withService(
      Effect.fnUntraced(function* ({ environment, tool }, directory) {
        yield* inStore(directory, environment, (store) => store.set(own, secret("one")))
        const found = yield* tool("secret-tool", ["search", "--all", "service", "letterhead-test"])
        const attributes = [...found.matchAll(/^attribute\.(\S+) = (.*)$/gm)].flatMap(([, name = "", value = ""]) => [
          name,
          value
        ])
        yield* tool("secret-tool", ["store", "--label=other", ...attributes], `${CANARY} by hand`)
        const { answer, lines } = yield* inStore(directory, environment, read)
        assert.strictEqual(answer, undefined)
        assert.strictEqual(lines.length, 1)
        assert.include(lines[0], "was not stored by letterhead")
      })
    )
  )
})

/**
 * What a process of its own says and ends with that stores a secret and never disposes of its runtime: only what keeps a
 * process alive would keep that one.
 */
const programWith = (directory: string, environment: Readonly<Record<string, string>>): Effect.Effect<string> =>
  Effect.callback((resume) => {
    const program = `
      import * as NodeServices from "@effect/platform-node/NodeServices"
      import { SecretStore } from "@letterhead/core/secrets/SecretStore"
      import { layer } from "@letterhead/keychain/KeychainStore"
      import * as Effect from "effect/Effect"
      import * as Layer from "effect/Layer"
      import * as ManagedRuntime from "effect/ManagedRuntime"
      import * as Redacted from "effect/Redacted"
      const store = layer({ service: "letterhead-test", fallback: { directory: ${JSON.stringify(directory)} } })
      const runtime = ManagedRuntime.make(Layer.provide(store, NodeServices.layer))
      const list = await runtime.runPromise(Effect.flatMap(SecretStore, (store) => Effect.andThen(
        store.set({ principal: "p", origin: "o", server: "s", field: "f" }, Redacted.make("v")), store.list)))
      process.stdout.write("listed " + list.length + "\\n")
    `
    const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
      cwd: join(import.meta.dirname, ".."),
      env: environment,
      stdio: ["ignore", "pipe", "inherit"],
      timeout: 20_000
    })
    let said = ""
    child.stdout.on("data", (chunk) => (said += String(chunk)))
    child.once("close", (code) => resume(Effect.succeed(`${said}code ${code}`)))
    return Effect.sync(() => child.kill("SIGKILL"))
  })
