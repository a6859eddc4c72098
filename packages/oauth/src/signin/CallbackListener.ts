/**
 * Waits on a port of this machine for the browser to come back from an authorization server.
 *
 * Only 127.0.0.1 is listened on, and a request counts only where its `Host` is this listener, its path is
 * {@link CALLBACK_PATH}, its method is GET and its state is this sign-in's: whatever else comes, from another page or
 * program of this machine, gets a page that says why, and the sign-in goes on. The first answer that counts is the last
 * one: the next gets a page that says that it is over. It ends {@link SIGN_IN_LIMIT} after it is asked for an answer, and
 * no socket outlives the scope.
 */
import { SignInFailed } from "@letterhead/core/headers/HeaderError"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as Http from "node:http"
import * as AuthorizationAnswer from "./AuthorizationAnswer.ts"
import { CallbackPage, type RenderedPage, render } from "./CallbackPage.ts"
import { type ExpectedIssuer, SIGN_IN_LIMIT, type SignInAnswer } from "./SignIn.ts"

/** The path of each redirect URI. */
export const CALLBACK_PATH = "/callback"
/** Bytes that the head of a request has at most, its address included; Node refuses a longer one with 431. */
export const HEAD_LIMIT = 16_384
/** Milliseconds in which a request has to be complete. */
export const REQUEST_LIMIT = 10_000
/** Connections at the same time at most; browsers open some that they do not use. */
export const CONNECTION_LIMIT = 64

export interface ListenOptions {
  /** The name of the server's entry, for the page. */
  readonly server: string
  /** Default: one that is free. */
  readonly port: number | undefined
  readonly state: Redacted.Redacted
  readonly issuer: ExpectedIssuer | undefined
}

export interface CallbackListener {
  /** Such as `http://127.0.0.1:41234/callback`. */
  readonly redirectUri: string
  /** The answer, once it came and the browser has its page. */
  readonly answer: Effect.Effect<SignInAnswer, SignInFailed>
}

/** The redirect URI of a listener on this port. */
export const redirectUri = (port: number): string => `http://127.0.0.1:${port}${CALLBACK_PATH}`

/** Listens until the scope closes. Fails where the port is taken, or may not be listened on. */
export const listen = Effect.fnUntraced(function* (
  options: ListenOptions
): Effect.fn.Return<CallbackListener, SignInFailed, Scope.Scope> {
  const answered = yield* Deferred.make<SignInAnswer, SignInFailed>()
  const server = yield* Effect.acquireRelease(bind(options.port ?? 0), close)
  const address = server.address()
  const port = typeof address === "object" && address !== null ? address.port : 0
  const uri = redirectUri(port)
  // The URL standard leaves out the default port of http, as browsers do.
  const hosts = new Set(["127.0.0.1", "localhost"].map((name) => new URL(`http://${name}:${port}`).host))
  const expected = { redirectUri: uri, state: options.state, issuer: options.issuer }

  let over = false
  server.on("request", (request: Http.IncomingMessage, response: Http.ServerResponse) => {
    const query = queryOf(request, hosts)
    if (Result.isFailure(query)) return send(response, query.failure)
    if (over) return send(response, render(CallbackPage.Over(options)))
    const outcome = AuthorizationAnswer.check(query.success, expected)
    if (Result.isSuccess(outcome))
      return finish(response, CallbackPage.Arrived(options), Effect.succeed(outcome.success))
    const { failure } = outcome
    if (failure._tag === "NotOurs") return send(response, render(CallbackPage.Refused(failure)))
    return finish(
      response,
      CallbackPage.Failed({ server: options.server, description: failure.description }),
      Effect.fail(failure)
    )
  })
  /** What waits for the answer closes the listener: not before the page is written. */
  const finish = (
    response: Http.ServerResponse,
    page: CallbackPage,
    answer: Effect.Effect<SignInAnswer, SignInFailed>
  ): void => {
    over = true
    response.once("close", () => Deferred.doneUnsafe(answered, answer))
    send(response, render(page))
  }

  return {
    redirectUri: uri,
    answer: Effect.timeoutOrElse(Deferred.await(answered), {
      duration: SIGN_IN_LIMIT,
      orElse: () => Effect.fail(tooLate)
    })
  }
})

const bind = (port: number): Effect.Effect<Http.Server, SignInFailed> =>
  Effect.callback((resume) => {
    const server = Http.createServer({
      maxHeaderSize: HEAD_LIMIT,
      requestTimeout: REQUEST_LIMIT,
      headersTimeout: REQUEST_LIMIT,
      connectionsCheckingInterval: 1_000
    })
    server.maxConnections = CONNECTION_LIMIT
    server.once("error", (error: NodeJS.ErrnoException) => resume(Effect.fail(notListening(port, error.code))))
    server.listen(port, "127.0.0.1", () => resume(Effect.succeed(server)))
    return Effect.sync(() => server.close())
  })

const close = (server: Http.Server): Effect.Effect<void> =>
  Effect.callback((resume) => {
    server.close(() => resume(Effect.void))
    server.closeAllConnections()
  })

/** The query of a request that may be the answer, or the page for one that is not. */
const queryOf = (
  { method, rawHeaders, url = "" }: Http.IncomingMessage,
  hosts: ReadonlySet<string>
): Result.Result<URLSearchParams, RenderedPage> => {
  // Node keeps the first of several; another reader may look at the last.
  const [host = "", ...others] = rawHeaders.filter(
    (_, index) => rawHeaders[index - 1]?.toLowerCase() === "host" && index % 2 === 1
  )
  if (others.length > 0 || !hosts.has(host.toLowerCase())) {
    return Result.fail(render(CallbackPage.Refused({ description: "it was meant for another host" }), 403))
  }
  const [path, query = ""] = splitAt(url, url.indexOf("?"))
  if (path !== CALLBACK_PATH)
    return Result.fail(render(CallbackPage.Refused({ description: "there is no such page" }), 404))
  if (method !== "GET") {
    const page = render(CallbackPage.Refused({ description: "only GET is understood" }), 405)
    return Result.fail({ ...page, headers: { ...page.headers, Allow: "GET" } })
  }
  return Result.succeed(new URLSearchParams(query))
}

const splitAt = (text: string, index: number): readonly [string, string?] =>
  index === -1 ? [text] : [text.slice(0, index), text.slice(index + 1)]

const send = (response: Http.ServerResponse, { headers, html, status }: RenderedPage): void => {
  response.writeHead(status, { ...headers, "Content-Length": Buffer.byteLength(html) })
  response.end(html)
}

const tooLate = new SignInFailed({
  description:
    `nobody came back from the browser within ${SIGN_IN_LIMIT / 60_000} minutes; sign in again. Where the browser runs on ` +
    "another machine than this program, use --no-browser"
})

const notListening = (port: number, code: string | undefined): SignInFailed => {
  const where = port === 0 ? "no port of 127.0.0.1" : `port ${port} of 127.0.0.1 (callbackPort)`
  switch (code) {
    case "EADDRINUSE":
      return new SignInFailed({
        description:
          `${where}, where the browser comes back to, is in use; end the program that uses it (another sign-in, maybe), ` +
          "or set another callbackPort that the authorization server knows"
      })
    case "EACCES":
      return new SignInFailed({
        description: `the system denies ${where}, where the browser comes back to; set a callbackPort above 1023`
      })
    default:
      return new SignInFailed({
        description: `${where}, where the browser comes back to, can be listened on (${code ?? "unknown"}); use --no-browser`
      })
  }
}
