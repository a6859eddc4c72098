/** Each check of the listener by a real request, and its end by the test's clock. */
import { assert, describe, it } from "@effect/vitest"
import * as CallbackListener from "@letterhead/oauth/signin/CallbackListener"
import { SIGN_IN_LIMIT } from "@letterhead/oauth/signin/SignIn"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import * as Net from "node:net"
import { visit, withQuery } from "./support/Visit.ts"

const STATE = "the-state-of-this-sign-in"
const CODE = "the-code-that-was-given"
const ISSUER = "https://issuer.example"

const listen = (options: Partial<CallbackListener.ListenOptions> = {}) =>
  CallbackListener.listen({
    server: "linear",
    port: undefined,
    state: Redacted.make(STATE),
    issuer: { issuer: ISSUER, promised: true },
    ...options
  })

const answerAt = (redirectUri: string, parameters: Record<string, string> = {}) =>
  withQuery(redirectUri, { state: STATE, code: CODE, iss: ISSUER, ...parameters })

/** The listener still takes the answer: what came before did not use it up. */
const stillWaits = Effect.fnUntraced(function* (listener: CallbackListener.CallbackListener) {
  const page = yield* visit(answerAt(listener.redirectUri))
  assert.strictEqual(page.status, 200)
  assert.strictEqual((yield* listener.answer).parameters.get("code"), CODE)
})

/** An idle connection, once it is open; `closed` is when the listener has ended it. */
const connect = (port: number) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly socket: Net.Socket; readonly closed: Promise<void> }>((resume) => {
      const socket = Net.connect(port, "127.0.0.1")
      const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()))
      socket.on("error", () => undefined)
      socket.once("connect", () => resume(Effect.succeed({ socket, closed })))
    }),
    ({ socket }) => Effect.sync(() => socket.destroy())
  )

describe("the listener that the browser comes back to", () => {
  it.live("takes the answer, and shows a page that can be closed", () =>
    Effect.gen(function* () {
      const listener = yield* listen()
      assert.match(listener.redirectUri, /^http:\/\/127\.0\.0\.1:\d+\/callback$/)
      const waiting = yield* Effect.forkChild(listener.answer)
      const page = yield* visit(answerAt(listener.redirectUri))
      assert.strictEqual(page.status, 200)
      assert.include(page.body, "You can close this page")
      assert.include(page.body, "linear")
      assert.strictEqual(page.headers["cache-control"], "no-store")
      assert.strictEqual(page.headers.connection, "close")
      assert.isDefined(page.headers["content-security-policy"])
      for (const secret of [CODE, STATE]) assert.notInclude(page.body, secret)
      const answer = yield* Fiber.join(waiting)
      assert.strictEqual(answer.parameters.get("code"), CODE)
      assert.strictEqual(answer.redirectUri, listener.redirectUri)
    }).pipe(Effect.scoped)
  )

  it.live("listens on the port that it is given, and takes localhost for its name", () =>
    Effect.gen(function* () {
      const free = yield* Effect.scoped(Effect.map(listen(), ({ redirectUri }) => Number(new URL(redirectUri).port)))
      const listener = yield* listen({ port: free })
      assert.strictEqual(listener.redirectUri, `http://127.0.0.1:${free}/callback`)
      const page = yield* visit(answerAt(listener.redirectUri), { headers: { host: `localhost:${free}` } })
      assert.strictEqual(page.status, 200)
    }).pipe(Effect.scoped)
  )

  it.live.each([{ state: "other" }, { state: "" }])(
    "F75: a request of another state is refused, and does not end it: %j",
    (state) =>
      Effect.gen(function* () {
        const listener = yield* listen()
        const page = yield* visit(answerAt(listener.redirectUri, state))
        assert.strictEqual(page.status, 400)
        assert.include(page.body, "does not belong to this sign-in")
        yield* stillWaits(listener)
      }).pipe(Effect.scoped)
  )

  it.live("F75: a request without a state or a query is refused, and does not end it", () =>
    Effect.gen(function* () {
      const listener = yield* listen()
      for (const query of ["", "?", `?code=${CODE}`, "?error=access_denied"]) {
        assert.strictEqual((yield* visit(`${listener.redirectUri}${query}`)).status, 400)
      }
      yield* stillWaits(listener)
    }).pipe(Effect.scoped)
  )

  it.live.each([
    ["another", `iss=${encodeURIComponent("https://attacker.example")}`],
    ["no", ""]
  ])("F75: an answer of %s issuer ends the sign-in, and shows nothing of what it says", ([, iss]) =>
    Effect.gen(function* () {
      const listener = yield* listen()
      const query = `state=${STATE}&${iss}&error=INJECTED&error_description=INJECTED`
      const page = yield* visit(`${listener.redirectUri}?${query}`)
      assert.strictEqual(page.status, 400)
      assert.include(page.body, "Signing in failed")
      const error = yield* Effect.flip(listener.answer)
      assert.strictEqual(error._tag, "SignInFailed")
      for (const text of [page.body, error.message]) assert.notInclude(text, "INJECTED")
    }).pipe(Effect.scoped)
  )

  it.live("a refusal ends the sign-in, with what the authorization server says, escaped", () =>
    Effect.gen(function* () {
      const listener = yield* listen()
      const said = { state: STATE, iss: ISSUER, error: "access_denied", error_description: "<b>no</b>\u001b[2J" }
      const page = yield* visit(withQuery(listener.redirectUri, said))
      assert.include(page.body, "access was denied: &lt;b&gt;no&lt;/b&gt;\\u{1b}[2J")
      assert.include((yield* Effect.flip(listener.answer)).message, "access was denied: <b>no</b>\\u{1b}[2J")
    }).pipe(Effect.scoped)
  )

  it.live("F75: a second answer gets a page that says that it is over, and is not used", () =>
    Effect.gen(function* () {
      const listener = yield* listen()
      yield* visit(answerAt(listener.redirectUri))
      for (const code of [CODE, "another"]) {
        const page = yield* visit(answerAt(listener.redirectUri, { code }))
        assert.strictEqual(page.status, 410)
        assert.include(page.body, "This sign-in is over")
      }
      assert.strictEqual((yield* listener.answer).parameters.get("code"), CODE)
    }).pipe(Effect.scoped)
  )

  it.live("F75: another path is refused, however it is written", () =>
    Effect.gen(function* () {
      const listener = yield* listen()
      const query = new URL(answerAt(listener.redirectUri)).search
      const paths = ["/", "/favicon.ico", "/callback/", "//callback", "/x/../callback", "/%63allback", "/Callback", "*"]
      for (const path of [...paths, "http://attacker.example/callback", listener.redirectUri]) {
        const page = yield* visit(listener.redirectUri, { path: `${path}${query}` })
        assert.strictEqual(page.status, 404, path)
      }
      yield* stillWaits(listener)
    }).pipe(Effect.scoped)
  )

  it.live("F75: another host is refused, as a name that was rebound to this machine has", () =>
    Effect.gen(function* () {
      const listener = yield* listen()
      const { port } = new URL(listener.redirectUri)
      const hosts = [
        "attacker.example",
        `attacker.example:${port}`,
        "127.0.0.1",
        "localhost",
        `127.0.0.1:${port}.attacker.example`,
        `127.0.0.1:${Number(port) + 1}`,
        `localhost.:${port}`,
        `[::1]:${port}`,
        `user@127.0.0.1:${port}`
      ]
      for (const host of hosts) {
        const page = yield* visit(answerAt(listener.redirectUri), { headers: { host } })
        assert.strictEqual(page.status, 403, host)
      }
      yield* stillWaits(listener)
    }).pipe(Effect.scoped)
  )

  it.live("F75: a request that names two hosts, an empty one or none is refused", () =>
    Effect.gen(function* () {
      const listener = yield* listen()
      const { host, pathname, port, search } = new URL(answerAt(listener.redirectUri))
      for (const [lines, status] of [
        [[`Host: ${host}`, "Host: attacker.example"], /^HTTP\/1\.1 40[03] /],
        [["Host:"], /^HTTP\/1\.1 40[03] /],
        [[], /^HTTP\/1\.1 40[03] /]
      ] as const) {
        const { closed, socket } = yield* connect(Number(port))
        let text = ""
        socket.on("data", (chunk) => (text += chunk.toString()))
        socket.write([`GET ${pathname}${search} HTTP/1.1`, ...lines, "", ""].join("\r\n"))
        yield* Effect.promise(() => closed)
        assert.match(text, status)
      }
      yield* stillWaits(listener)
    }).pipe(Effect.scoped)
  )

  it.live.each(["POST", "PUT", "DELETE", "HEAD", "OPTIONS"])("F75: %s is refused", (method) =>
    Effect.gen(function* () {
      const listener = yield* listen()
      const page = yield* visit(answerAt(listener.redirectUri), { method })
      assert.strictEqual(page.status, 405)
      assert.strictEqual(page.headers.allow, "GET")
      yield* stillWaits(listener)
    }).pipe(Effect.scoped)
  )

  it.live("F75: an address of a megabyte is refused, and does not end it", () =>
    Effect.gen(function* () {
      const listener = yield* listen()
      const visited = yield* Effect.exit(visit(answerAt(listener.redirectUri, { filler: "x".repeat(1_048_576) })))
      // Node may close the connection before all of it is written.
      if (Exit.isSuccess(visited)) assert.strictEqual(visited.value.status, 431)
      yield* stillWaits(listener)
    }).pipe(Effect.scoped)
  )

  it.live("F75: a port that is taken is named, with what to do", () =>
    Effect.gen(function* () {
      const taken = yield* listen()
      const port = Number(new URL(taken.redirectUri).port)
      const error = yield* Effect.flip(listen({ port }))
      assert.strictEqual(error._tag, "SignInFailed")
      assert.include(error.message, `port ${port} of 127.0.0.1`)
      assert.match(error.message, /end the program that uses it .*set another callbackPort/)
      yield* stillWaits(taken)
    }).pipe(Effect.scoped)
  )

  it.effect("F75: after five minutes it gives up", () =>
    Effect.gen(function* () {
      const listener = yield* listen()
      const waiting = yield* Effect.forkChild(Effect.flip(listener.answer))
      yield* TestClock.adjust(SIGN_IN_LIMIT - 1)
      assert.isUndefined(waiting.pollUnsafe())
      yield* TestClock.adjust(1)
      assert.match((yield* Fiber.join(waiting)).message, /within 5 minutes; sign in again/)
    }).pipe(Effect.scoped)
  )

  it.live("F75: is only on 127.0.0.1, and leaves no socket and no port behind", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const listener = yield* Scope.provide(listen(), scope)
      const { port } = new URL(listener.redirectUri)
      const idle = yield* connect(Number(port))
      const half = yield* connect(Number(port))
      let text = ""
      half.socket.on("data", (chunk) => (text += chunk.toString()))
      half.socket.write("GET /callback HTTP/1.1\r\n")
      // By now it has come.
      yield* visit(listener.redirectUri)
      yield* Scope.close(scope, Exit.void)
      yield* Effect.promise(() => Promise.all([idle.closed, half.closed]))
      // It was not waited for until it took too long.
      assert.strictEqual(text, "")
      assert.match((yield* Effect.flip(visit(listener.redirectUri))).message, /ECONNREFUSED/)
      // The port is free again at once.
      yield* listen({ port: Number(port) })
      assert.match((yield* Effect.flip(visit(`http://[::1]:${port}/callback`))).message, /ECONNREFUSED|EADDRNOTAVAIL/)
      assert.match((yield* Effect.flip(visit(`http://127.0.0.2:${port}/callback`))).message, /ECONNREFUSED/)
    }).pipe(Effect.scoped)
  )
})
