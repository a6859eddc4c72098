/** F50 for signing in and renewing: rows F62, F63, F74, F75, F77, where what is asked repeats what it was sent. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { TIMEOUT } from "./Canary.ts"
import {
  CLIENT_SECRET,
  type Endpoint,
  REPETITIONS,
  type Settings,
  WELL,
  all,
  refusal,
  text,
  written
} from "./CanaryAuthorizationServer.ts"
import { stage } from "./CanaryOAuth.ts"

const ANSWERS: ReadonlyArray<readonly [row: string, what: string, answer: Endpoint]> = [
  ...REPETITIONS.map(([what, repeat]) => ["F63", what, refusal("invalid_grant", repeat)] as const),
  ...REPETITIONS.map(([what, repeat]) => ["F62", what, refusal("invalid_request", repeat)] as const),
  ["F62", "the words as a code", (said, response) => refusal(said.request[0] ?? "", all)(said, response)],
  ["F62", "an error of its own", refusal("server_error", all)],
  ["F62", "500", text(500, "text/plain")],
  ["F62", "500 in JSON", refusal("invalid_grant", all, 500)],
  ["F62", "HTML", text(200, "text/html", (everything) => `<h1>${everything}</h1>`)],
  ["F62", "an error in HTML", text(400, "text/html", (everything) => `<h1>${everything}</h1>`)],
  ["F62", "too much", text(200, "application/json", (everything) => everything.repeat(2_000))],
  ["F62", "no JSON", text(200, "application/json")],
  ["F62", "no token", text(200, "application/json", (everything) => JSON.stringify({ scope: everything }))],
  [
    "F62",
    "a token that no header can carry",
    text(200, "application/json", (everything) =>
      JSON.stringify({ access_token: `${everything}\n`, token_type: "Bearer" })
    )
  ],
  [
    "F62",
    "a token of another kind",
    text(200, "application/json", (everything) => JSON.stringify({ access_token: "a", token_type: everything }))
  ],
  ["F62", "silence", () => undefined],
  ["F62", "a reset", (_, response) => void response.socket?.destroy()],
  [
    "F62",
    "a redirect",
    (said, response) =>
      void response.writeHead(307, { location: `https://127.0.0.1:9/?${encodeURIComponent(all(said))}` }).end()
  ]
]

describe.concurrent("a sign-in that fails", () => {
  it.live(
    "F50, F62, F63: no answer of a token endpoint shows a secret, whatever it repeats of a renewal",
    () =>
      Effect.gen(function* () {
        const { alone, expectKept, server, signIn } = yield* stage
        let isIn = false
        for (const [row, what, answer] of ANSWERS) {
          if (!isIn) yield* signIn()
          server.expire()
          server.settings.token = answer
          assert.match(yield* alone(`${row} ${what}`), /^(SignInRequired|SignInFailed|TokenFailed)$/, what)
          // What is left of it tells the next program why nobody is signed in.
          assert.match(yield* alone(`${row} ${what}, later`), /^(SignInRequired|SignInFailed|TokenFailed)$/, what)
          isIn = row === "F62"
        }
        assert.isAbove(server.secrets.get("refresh token")?.size ?? 0, REPETITIONS.length)
        yield* expectKept
      }).pipe(Effect.provide(NodeServices.layer)),
    TIMEOUT
  )

  it.live(
    "F50, F75: no answer that a person comes back with shows a secret, and no page in their browser",
    () =>
      Effect.gen(function* () {
        const { evidence, expectKept, server, use } = yield* stage
        const answers: ReadonlyArray<NonNullable<Settings["redirect"]>> = [
          (state) => ({ state, error: "access_denied", error_description: `${state} ${state}` }),
          (state, code) => ({ state, code, error: `${state}${code}`, error_description: written([state, code]) }),
          (state, code) => ({ state, code, error: "invalid_request", error_description: written([code, state]) }),
          (state, code) => ({ state, code, iss: `https://${code}.example.com/${state}` }),
          (state) => ({ state })
        ]
        for (const [index, redirect] of answers.entries()) {
          server.settings.redirect = redirect
          assert.strictEqual(yield* use(`F75 ${index}`), "SignInFailed")
        }
        assert.isAbove(evidence.counts().output, 2)
        yield* expectKept
      }).pipe(Effect.provide(NodeServices.layer)),
    TIMEOUT
  )

  it.live(
    "F50, F74, F77: nothing that is said of a code, a client or a registration shows a secret",
    () =>
      Effect.gen(function* () {
        const { expectKept, server, use } = yield* stage
        const { settings } = server
        for (const [what, repeat] of REPETITIONS) {
          settings.token = refusal("invalid_grant", repeat)
          assert.strictEqual(yield* use(`a code, ${what}`), "SignInFailed")
        }
        for (const method of ["client_secret_basic", "client_secret_post"]) {
          settings.metadata = { token_endpoint_auth_methods_supported: [method] }
          for (const [what, repeat] of REPETITIONS) {
            settings.token = refusal("invalid_client", repeat)
            const oauth = { clientId: "some-client", clientSecret: CLIENT_SECRET }
            assert.strictEqual(yield* use(`a client, ${method}, ${what}`, { oauth }), "SignInFailed")
          }
        }
        Object.assign(settings, WELL)
        for (const answer of [
          refusal("invalid_client_metadata", all),
          text(500, "text/plain"),
          text(201, "application/json"),
          text(201, "application/json", (everything) => JSON.stringify({ client_secret: everything }))
        ]) {
          settings.register = answer
          assert.match(yield* use("a registration"), /^(SignInFailed|TokenFailed)$/)
        }
        Object.assign(settings, WELL)
        for (const [row, metadata] of [
          ["F74", { authorization_endpoint: "javascript:alert(1)" }],
          ["F74", { token_endpoint: "file:///etc/passwd" }],
          ["F77", { code_challenge_methods_supported: ["plain"] }],
          ["F77", { code_challenge_methods_supported: undefined }]
        ] as const) {
          settings.metadata = metadata
          const oauth = { clientId: "some-client", clientSecret: CLIENT_SECRET }
          assert.strictEqual(yield* use(row, { oauth }), "SignInFailed")
        }
        yield* expectKept
      }).pipe(Effect.provide(NodeServices.layer)),
    TIMEOUT
  )
})
