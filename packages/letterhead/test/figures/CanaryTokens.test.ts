/** F50 for whoever is signed in: rows F45, F51, F52, F55, F64 to F68, F76 and F83, at servers and stores that fail. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { HeaderResolver } from "@letterhead/core/HeaderResolver"
import { BrowserLauncher, layerFor } from "@letterhead/oauth/signin/BrowserLauncher"
import { Environment } from "@letterhead/core/server/Environment"
import * as BrowserSignIn from "@letterhead/oauth/signin/BrowserSignIn"
import { until } from "@letterhead/testing/Waiting"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { spawn } from "node:child_process"
import { mkdirSync, readdirSync, renameSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { CALL, HEADER, PRINTED, SECRETS, THROWN, TIMEOUT, expectNothing } from "./Canary.ts"
import * as CanaryAuthorizationServer from "./CanaryAuthorizationServer.ts"
import { WELL, written } from "./CanaryAuthorizationServer.ts"
import { stage } from "./CanaryOAuth.ts"
import { CARRYING, carrier, storeCredential } from "./CanaryRequests.ts"

const FIXTURE = join(import.meta.dirname, "../../../oauth/test/refresh.fixture.ts")

/** What a hook sets. */
const HOOKED = `${THROWN}hook`

/** A browser that goes where it is sent. */
const visit = (address: string) => Effect.promise(() => fetch(address).then((answer) => answer.text()))

const quoted = (token: string): string => `"${token}"`

/** Who shares the sign-in, in a process of its own: makes calls for so long, or holds the lock of the store. */
const sharer = (directory: string, url: string, what: string) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const child = spawn(process.execPath, [FIXTURE, directory, url, what], { stdio: ["ignore", "pipe", "pipe"] })
      let output = ""
      for (const stream of [child.stdout, child.stderr])
        stream.on("data", (chunk: Buffer) => (output += chunk.toString()))
      return { child, output: () => output }
    }),
    ({ child }) => Effect.sync(() => void child.kill("SIGKILL"))
  )

describe.concurrent("somebody who is signed in", () => {
  it.live(
    "F50, F52, F55, F83: no answer of a server shows the token that it was sent",
    () =>
      Effect.gen(function* () {
        const { alone, expectKept, server, signIn } = yield* stage
        const metadata = `resource_metadata="${server.origin}/resource"`
        const refusals: ReadonlyArray<readonly [row: string, status: number, challenge: (token: string) => string]> = [
          ["F52", 401, (token) => `Bearer error="invalid_token", error_description=${quoted(token)}, ${metadata}`],
          ["F52", 401, (token) => `Bearer realm=${quoted(token)}`],
          ["F52", 401, (token) => `Bearer scope=${quoted(token)}, ${metadata}`],
          ["F52", 401, (token) => `Bearer resource_metadata="https://127.0.0.1:9/${token}"`],
          ["F52", 401, (token) => `Bearer resource_metadata="https://${token}.example.com/"`],
          ["F55", 403, (token) => `Bearer error="insufficient_scope", scope=${quoted(token)}, ${metadata}`],
          ["F55", 403, (token) => `Bearer error="insufficient_scope", scope="write Bearer+${token}", ${metadata}`],
          ["F55", 403, (token) => `Bearer error=${quoted(token)}`],
          ["F83", 400, (token) => token],
          ["F83", 500, (token) => token]
        ]
        for (const [row, status, challenge] of refusals) {
          yield* signIn()
          server.settings.mcp = (token) => ({
            status,
            headers: { "content-type": "text/plain", "www-authenticate": challenge(token) },
            body: written([token])
          })
          const what = `${row} ${status} ${challenge("token")}`
          assert.notStrictEqual(yield* alone(what), "Success", what)
          assert.notStrictEqual(yield* alone(`${what}, later`), "Success", what)
        }
        yield* expectKept
      }).pipe(Effect.provide(NodeServices.layer)),
    TIMEOUT
  )

  it.live(
    "F50, F76: no sign-in that belongs to another authorization server, client or resource shows a secret",
    () =>
      Effect.gen(function* () {
        const { alone, expectKept, server, signIn } = yield* stage
        const other = yield* CanaryAuthorizationServer.make
        const renewed: ReadonlyArray<readonly [what: string, change: () => void, options?: object]> = [
          ["another issuer", () => Object.assign(server.settings, { metadata: { issuer: other.origin } })],
          ["another client", () => undefined, { oauth: { clientId: "another", clientSecret: "${SECRET}" } }],
          ["no authorization server", () => Object.assign(server.settings, { metadata: { token_endpoint: "x" } })]
        ]
        for (const [what, change, options] of renewed) {
          yield* signIn()
          server.expire()
          change()
          assert.match(yield* alone(`F76 ${what}`, options), /^(SignInRequired|SignInFailed|TokenFailed)$/, what)
        }
        assert.deepStrictEqual(other.grants, [])
        yield* expectKept
      }).pipe(Effect.provide(NodeServices.layer)),
    TIMEOUT
  )

  it.live(
    "F50, F51: of four sources of Authorization one is sent and OAuth not attempted, and the reason shows none of them",
    () =>
      Effect.gen(function* () {
        const { evidence, expectKept, layerWith, server, signIn, target, use, writeOnce } = yield* stage
        yield* signIn()
        const script = `#!/bin/sh\necho '{"Authorization": "Bearer ${PRINTED}"}'\n`
        const hook = `export default { "mcp.call.before": async (input, output) => { output.headers["Authorization"] = "Bearer ${HOOKED}" } }`
        const all = {
          headers: { Authorization: `Bearer ${HEADER}` },
          helper: { command: [writeOnce("all.sh", script, 0o755)] },
          hooks: [writeOnce("all.mjs", hook)]
        }
        const grants = [...server.grants]
        server.settings.mcp = () => "taken"
        assert.strictEqual(yield* use("F51", all), "Success")
        assert.strictEqual(server.seen.at(-1), HOOKED)
        const layer = layerWith({ servers: [target(all)] })
        const explained = Effect.flatMap(HeaderResolver, (resolver) => resolver.explain(target(all), CALL))
        const found = yield* Effect.provide(explained, layer)
        yield* evidence.observe("F51 headers", Effect.provide(explained, layer))
        const [field, ...others] = found.filter(({ name }) => name.toLowerCase() === "authorization")
        assert.deepStrictEqual([field?.source, others], ["hook", []])
        assert.deepStrictEqual(
          field?.shadowed.map(({ source }) => source),
          ["helper", "static", "oauth"]
        )
        assert.include(field?.shadowed.at(-1)?.declared, "not attempted")
        assert.deepStrictEqual(server.grants, grants, "nothing is asked for")
        yield* expectKept
      }).pipe(Effect.provide(NodeServices.layer)),
    TIMEOUT
  )

  it.live(
    "F50, F66, F68: no store that takes no tokens, or gives none back, shows one",
    () =>
      Effect.gen(function* () {
        const { alone, credentials, evidence, expectKept, server, signIn } = yield* stage
        /** The files of the store, with what is in them. */
        const records = () => readdirSync(credentials).filter((name) => name.endsWith(".json"))
        yield* signIn()
        server.expire()
        // Where each file was there is a folder, when the new token is to be saved.
        server.settings.issuing = () => {
          for (const name of records()) {
            renameSync(join(credentials, name), join(credentials, `${name}.old`))
            mkdirSync(join(credentials, name), { mode: 0o700 })
          }
        }
        const before = evidence.counts().log
        assert.strictEqual(yield* alone("F66"), "Success")
        assert.isAbove(evidence.counts().log, before, "it is warned of")
        for (const damage of [
          (secret: string) => `{"${secret}`,
          (secret: string) => JSON.stringify({ version: 1, key: secret, value: [secret], content: { value: secret } }),
          (secret: string) => secret,
          () => ""
        ]) {
          yield* signIn()
          const secret = [...(server.secrets.get("refresh token") ?? [])].at(-1) ?? ""
          for (const name of records()) writeFileSync(join(credentials, name), damage(secret), { mode: 0o600 })
          assert.match(yield* alone("F68"), /^(SignInRequired|SecretStoreFailed)$/)
        }
        yield* expectKept
      }).pipe(Effect.provide(NodeServices.layer)),
    TIMEOUT
  )

  it.live(
    "F50, F64, F65, F67: no process that renews with others, or is killed at it, shows a token or leaves one elsewhere",
    () =>
      Effect.gen(function* () {
        const { alone, credentials, evidence, expectKept, server, signIn } = yield* stage
        const oauth = { clientId: "test-client" }
        yield* signIn({ oauth })
        server.settings.lifetime = 1
        server.expire()
        const issued = () => server.secrets.get("access token")?.size ?? 0
        yield* Effect.forEach(
          Array.from({ length: 4 }, (_, index) => index),
          (index) =>
            Effect.gen(function* () {
              const { child, output } = yield* sharer(credentials, server.url, "60000")
              // Who is killed while it renews may take the sign-in with it: only the first renewal is sure to come.
              yield* until(Effect.sync(() => issued() > 1))
              yield* Effect.sleep(300 * index)
              const closed = Effect.callback<void>((resume) => void child.once("close", () => resume(Effect.void)))
              yield* Effect.all([closed, Effect.sync(() => child.kill("SIGKILL"))], { concurrency: 2 })
              evidence.keepOutput("a process that was killed", output())
            }).pipe(Effect.scoped),
          { concurrency: "unbounded", discard: true }
        )
        server.settings.lifetime = WELL.lifetime
        const { child } = yield* sharer(credentials, server.url, "hold")
        yield* Effect.callback<void>((resume) => void child.stdout.once("data", () => resume(Effect.void)))
        child.kill("SIGKILL")
        server.expire()
        assert.match(yield* alone("F65", { oauth }), /^(Success|SignInRequired)$/)
        assert.isAbove(evidence.counts().arguments, 0)
        yield* expectKept
      }).pipe(Effect.provide(NodeServices.layer)),
    TIMEOUT
  )

  it.live(
    "F45: of all that an entry sends nothing goes to another origin that signs people in there",
    () =>
      Effect.gen(function* () {
        const made = yield* stage
        const { server } = made
        // Every source supplies a header, and none of them Authorization.
        const printed = JSON.stringify({ "X-Password": PRINTED })
        const helper = { command: [made.write("other.sh", `#!/bin/sh\necho '${printed}'\n`, 0o755)] }
        const signIn = Layer.provide(BrowserSignIn.layer, Layer.succeed(BrowserLauncher, { open: visit }))
        const helped = carrier(made, server.url, { helper })
        const { helper: _, ...plain } = helped
        yield* Effect.provide(storeCredential(server.url), made.layerWith({ servers: [plain] }))
        assert.strictEqual(yield* made.run("F45", { servers: [plain], signIn }, CARRYING), "Success")
        server.expire()
        assert.strictEqual(yield* made.run("F45 renewed", { servers: [helped] }, CARRYING), "Success")
        assert.deepStrictEqual(server.grants, ["authorization_code", "refresh_token"])
        const paths = new Set(server.received.map(({ path }) => path))
        for (const path of [
          "/resource",
          "/.well-known/oauth-authorization-server",
          "/register",
          "/authorize",
          "/token"
        ]) {
          assert.isTrue(paths.has(path), path)
        }
        const names = new Set(server.received.flatMap(({ headers }) => Object.keys(headers)))
        assert.deepStrictEqual(
          [...names].filter((name) => name.startsWith("x-")),
          []
        )
        const sent = server.received.map(({ headers }) => JSON.stringify(headers)).join("\n")
        for (const secret of [...SECRETS, ...(server.secrets.get("access token") ?? [])]) {
          assert.notInclude(sent, secret)
        }
      }).pipe(Effect.provide(NodeServices.layer)),
    TIMEOUT
  )

  it.live(
    "F50, F45, F74: the program that opens the browser is told the state, and nothing else that is secret",
    () =>
      Effect.gen(function* () {
        const { evidence, folder, run, server, target, write } = yield* stage
        mkdirSync(join(folder, "bin"))
        const follow = `fetch(process.argv[1]).then((answer) => answer.text())`
        write("bin/xdg-open", `#!/bin/sh\nexec '${process.execPath}' -e '${follow}' "$1"\n`, 0o755)
        const environment = { PATH: join(folder, "bin"), DISPLAY: ":99" }
        const launcher = Layer.provide(layerFor("linux"), [NodeServices.layer, Layer.succeed(Environment, environment)])
        const signIn = Layer.provide(BrowserSignIn.layer, launcher)
        assert.strictEqual(yield* run("a browser", { servers: [target()], signIn }), "Success")
        const secrets = [...server.secrets].flatMap(([what, each]) => (what === "state" ? [] : [...each]))
        expectNothing(evidence, secrets)
        const found = evidence.find([...(server.secrets.get("state") ?? [])])
        assert.isAbove(found.length, 0)
        assert.deepStrictEqual(
          found.filter((one) => !one.startsWith("arguments of")),
          []
        )
      }).pipe(Effect.provide(NodeServices.layer)),
    TIMEOUT
  )
})
