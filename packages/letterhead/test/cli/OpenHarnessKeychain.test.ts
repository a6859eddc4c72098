/** Sign-ins that OpenHarness keeps in the keychain, in whole calls, with a real Secret Service. */
import { execFile } from "node:child_process"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { resolve } from "node:path"
import { setTimeout } from "node:timers/promises"
import { start, type SecretService, unavailable } from "../../../keychain/test/SecretService.ts"
import * as AuthorizationServer from "./support/AuthorizationServer.ts"
import { person } from "./support/Command.ts"

process.stderr.write(
  unavailable === undefined ? "" : `the keychain entries of OpenHarness: not tested, since ${unavailable}\n`
)

const { CANARY } = AuthorizationServer

const SERVICE = "openharness-mcp"
const WARNING = "signs OpenHarness itself out"
/** Milliseconds that the answer to a refresh waits for the warning before it. */
const PATIENCE = 8_000
const KEYCHAIN_PACKAGE = resolve(import.meta.dirname, "../../../keychain")

/** Stores an entry with the library that OpenHarness uses, as it is used without a word about the system. */
const keep = ({ environment }: SecretService, account: string, value: string) =>
  Effect.callback<void>((done) => {
    const program = `import { Entry } from "@napi-rs/keyring"; new Entry(process.argv[1], process.argv[2]).setPassword(process.argv[3])`
    const args = ["--input-type=module", "--eval", program, SERVICE, account, value]
    execFile(process.execPath, args, { cwd: KEYCHAIN_PACKAGE, env: { ...environment } }, (error) =>
      done(error === null ? Effect.void : Effect.die(error))
    )
  })

const lookUp = ({ tool }: SecretService, service: string, account: string) =>
  tool("secret-tool", ["lookup", "service", service, "username", account])

/** How many entries a service has. */
const count = ({ tool }: SecretService, service: string) =>
  Effect.map(
    tool("secret-tool", ["search", "--all", "service", service]),
    (found) => found.match(/^label = /gm)?.length ?? 0
  )

/** A person who signed in with OpenHarness, whose token expires at `expiresAt`, and who approved its server. */
const someone = Effect.fnUntraced(function* (expiresAt: number) {
  const order: Array<string> = []
  let heard = ""
  const server = yield* AuthorizationServer.make({
    beforeGrant: async () => {
      const end = Date.now() + PATIENCE
      while (!heard.includes(WARNING) && Date.now() < end) await setTimeout(20)
      order.push(heard.includes(WARNING) ? "refresh after the warning" : "refresh without a warning")
    }
  })
  const service = yield* start
  const of = yield* person
  const { expires_in: _, ...tokens } = yield* server.issue
  const entry = JSON.stringify({ ...tokens, expires_at: expiresAt, clientInformation: { client_id: "client-1" } })
  yield* keep(service, "notes", entry)
  yield* of.write(".oh/config.yaml", `mcpServers:\n  - name: notes\n    type: http\n    url: ${server.url}\n`)
  const { DBUS_SESSION_BUS_ADDRESS = "", XDG_RUNTIME_DIR = "" } = service.environment
  const env = { DBUS_SESSION_BUS_ADDRESS, XDG_RUNTIME_DIR }
  yield* of.approve("notes")
  const run = (...args: ReadonlyArray<string>) =>
    of.run(args, {
      env,
      onStderr: (text) => {
        heard += text
      }
    })
  const tokensSeen = Effect.map(server.requests, (requests) => [
    ...new Set(requests.filter(({ status }) => status === 200).map(({ headers }) => headers.get("authorization")))
  ])
  return { server, service, of, run, entry, order, token: tokens.access_token, tokensSeen }
})

const CALL = ["call", "notes", "echo", "message=hello"] as const

const HOUR = 3_600_000

// One after the other: a keychain has 2 s to answer, also on a machine that has other things to do.
describe.skipIf(unavailable !== undefined)("a sign-in that OpenHarness keeps in the keychain", () => {
  it.live("is used as it is, and nothing is written as long as nothing changes", () =>
    Effect.gen(function* () {
      const { entry, run, server, service, token, tokensSeen } = yield* someone(Date.now() + HOUR)
      const called = yield* run(...CALL)
      expect(called).toMatchObject({ code: 0, stderr: "" })
      expect(yield* tokensSeen).toEqual([`Bearer ${token}`])
      expect(server.grants).toEqual([])
      expect((yield* run("servers")).stdout).toMatch(/^notes .*signed in, expires in 59 min/m)
      const inspected = yield* run("auth", "inspect", "notes")
      expect(inspected.stdout).toContain("it comes from OpenHarness")
      expect(yield* lookUp(service, SERVICE, "notes")).toBe(entry)
      expect(yield* count(service, "letterhead")).toBe(0)
      expect(called.stdout + inspected.stdout + inspected.stderr).not.toContain(CANARY)
    })
  )

  it.live("is renewed when it is due, after a warning, and moves into an entry of our own", () =>
    Effect.gen(function* () {
      const { entry, order, run, server, service, token, tokensSeen } = yield* someone(Date.now() - HOUR)
      const first = yield* run(...CALL)
      expect(first.code).toBe(0)
      expect(first.stderr).toContain(WARNING)
      expect(order).toEqual(["refresh after the warning"])
      const [renewed = "", ...others] = yield* tokensSeen
      expect(others).toEqual([])
      expect(renewed).not.toBe(`Bearer ${token}`)
      // The tokens, and the client that they were issued to.
      expect(yield* count(service, "letterhead")).toBe(2)
      expect(yield* lookUp(service, SERVICE, "notes")).toBe(entry)
      expect(yield* count(service, SERVICE)).toBe(1)

      // From here on it is a sign-in like any other: no warning, and its own refresh token, which is good once.
      expect(yield* run(...CALL)).toMatchObject({ code: 0, stderr: "" })
      yield* server.expire
      expect(yield* run(...CALL)).toMatchObject({ code: 0, stderr: "" })
      expect(server.grants).toEqual(["refresh_token", "refresh_token"])

      const left = yield* run("logout", "notes")
      expect(left).toMatchObject({ code: 0, stderr: "" })
      expect(left.stdout).toContain("OpenHarness still is: its own sign-in is left as it is, and not used here.")
      expect(yield* lookUp(service, SERVICE, "notes")).toBe(entry)
      const refused = yield* run(...CALL)
      expect(refused.code).toBe(3)
      expect(refused.stderr).toContain("letterhead login notes")
      expect(first.stdout + first.stderr + left.stdout + refused.stderr).not.toContain(CANARY)
    })
  )

  it.live("stays as it is where it cannot be renewed now, and the warning says what is about to happen", () =>
    Effect.gen(function* () {
      const { entry, run, server, service } = yield* someone(Date.now() - HOUR)
      yield* server.stop
      const failed = yield* run(...CALL)
      expect(failed).toMatchObject({ code: 4, stdout: "" })
      expect(failed.stderr).toContain(WARNING)
      expect(yield* lookUp(service, SERVICE, "notes")).toBe(entry)
      expect(yield* count(service, "letterhead")).toBe(0)
      expect(failed.stderr).not.toContain(CANARY)
    })
  )
})
