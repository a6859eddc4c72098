/**
 * The keychain's store against its laws and its faults: without a keychain, with one that hangs, and, where Debian's
 * gnome-keyring is installed, with a real Secret Service that is locked, killed and emptied by hand.
 */
import { spawn } from "node:child_process"
import { createServer } from "node:net"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { SecretStore } from "@letterhead/core/secrets/SecretStore"
import { PROBE_LIMIT, read as readOf } from "@letterhead/keychain/Keychain"
import { accountOf } from "@letterhead/keychain/KeychainAccount"
import { CANARY, key, laws } from "@letterhead/testing/laws/SecretStoreLaws"
import { Entry } from "@napi-rs/keyring"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import { unavailable } from "./SecretService.ts"
import { own, secret, storeIn, inStore, read, filesOf, folder } from "./Keeping.ts"

const KERNEL_SERVICE = `letterhead-test-${process.pid}`

const inKernel = (account: string) => new Entry(KERNEL_SERVICE, account, { linux: { store: "keyutils" } })

/** Containers often have none. The first attempt of a process is denied where its session has no keyring yet. */
const hasKernelKeyring = process.platform === "linux" && [1, 2].some(() => canKeepInKernel())

function canKeepInKernel(): boolean {
  try {
    inKernel("probe").setPassword("x")
    return inKernel("probe").deletePassword()
  } catch {
    return false
  }
}

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

process.stderr.write(
  unavailable === undefined
    ? "keychain: the suite runs against a Secret Service, and without one\n"
    : `keychain: the suite runs without a Secret Service only: ${unavailable}\n`
)

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
