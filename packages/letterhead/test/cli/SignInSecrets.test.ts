/**
 * F50: what a sign-in consists of is in no output of the command, no file but the store and no argument list, at an
 * authorization server that repeats it in each of its answers.
 */
import { chmodSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as CanaryAuthorizationServer from "../figures/CanaryAuthorizationServer.ts"
import { CLIENT_SECRET, WELL, all, refusal, text } from "../figures/CanaryAuthorizationServer.ts"
import * as Evidence from "../figures/Evidence.ts"
import { person } from "./support/Command.ts"

const scene = Effect.gen(function* () {
  const evidence = yield* Evidence.make
  const server = yield* CanaryAuthorizationServer.make
  const made = yield* person
  const oauth = { clientId: "some-client", clientSecret: "${CLIENT_SECRET}" }
  yield* made.writeOwn("letterhead.json", {
    mcpServers: { notes: { url: server.url, oauth } },
    credentials: { storage: "filesystem" }
  })
  const programs = join(made.home, "bin")
  mkdirSync(programs)
  const follow = `fetch(process.argv[1]).then((answer) => answer.text())`
  writeFileSync(join(programs, "xdg-open"), `#!/bin/sh\nexec '${process.execPath}' -e '${follow}' "$1"\n`)
  chmodSync(join(programs, "xdg-open"), 0o755)
  const env = { PATH: `${programs}:${made.env["PATH"]}`, DISPLAY: ":99", CLIENT_SECRET }
  return { evidence, server, made, env }
})

/** Where a person signs in; the state has to be in it. */
const ADDRESS = /http[^\s"\\]*\/authorize\?[^\s"\\]*/g

const CREDENTIALS = ".local/share/letterhead/credentials"

describe.concurrent("the secrets of a sign-in", () => {
  for (const flags of [["--verbose"], ["--verbose", "--json"]]) {
    it.live(`F50, F62, F63, F75, F78: with ${flags.join(" ")} nothing that the command says shows one`, () =>
      Effect.gen(function* () {
        const { env, evidence, made, server } = yield* scene
        const { settings } = server
        const run = Effect.fnUntraced(function* (ends: "well" | "ill", ...verb: ReadonlyArray<string>) {
          const { stderr, stdout, ...ended } = yield* made.run([...verb, ...flags], { env })
          const said = `${stdout}${stderr}`.replaceAll(ADDRESS, "")
          evidence.keepOutput(verb.join(" "), said)
          assert.strictEqual(ended.code === 0 ? "well" : "ill", ends, `${verb.join(" ")}: ${said}`)
        })
        const login = (ends: "well" | "ill") => run(ends, "login", "notes")
        const look = (ends: "well" | "ill") =>
          Effect.all([run("well", "servers"), run(ends, "auth", "inspect", "notes")], { concurrency: 2 })
        const call = (ends: "well" | "ill") => run(ends, "call", "notes", "echo", "message=hello")

        yield* login("well")
        yield* Effect.all([call("well"), look("well"), run("well", "headers", "notes")], { concurrency: 2 })
        // A renewal that fails for now, and one that is refused for good.
        server.expire()
        settings.token = text(500, "text/plain")
        yield* call("ill")
        settings.token = refusal("invalid_request", all)
        yield* call("ill")
        settings.token = refusal("invalid_grant", all)
        yield* call("ill")
        yield* look("ill")
        // A sign-in that is refused in the browser, and one whose code is.
        yield* login("ill")
        settings.redirect = (state, code) => ({
          state,
          code,
          error: "access_denied",
          error_description: `${state}${code}`
        })
        yield* login("ill")
        Object.assign(settings, WELL)
        yield* login("well")
        settings.mcp = (token) => ({
          status: 403,
          headers: { "www-authenticate": `Bearer error="insufficient_scope", scope="${token}"` },
          body: token
        })
        yield* call("ill")
        settings.revoke = refusal("invalid_client", all)
        yield* run("ill", "logout", "notes", "--revoke")
        Object.assign(settings, WELL)
        yield* login("well")
        yield* run("well", "logout", "notes", "--revoke")

        for (const what of ["access token", "refresh token", "code", "verifier", "state", "client secret", "token"]) {
          assert.isDefined(server.secrets.get(what), what)
        }
        for (const found of readdirSync(made.home, { recursive: true, withFileTypes: true })) {
          const file = join(found.parentPath, found.name)
          if (file.startsWith(join(made.home, CREDENTIALS))) assert.strictEqual(statSync(file).mode & 0o077, 0, file)
          else if (found.isDirectory()) yield* evidence.keepFiles(file)
        }
        const secrets = [...server.secrets].flatMap(([what, each]) => (what === "state" ? [] : [...each]))
        assert.deepStrictEqual(evidence.find(secrets), [])
        // Which the program that opens the browser has to be told.
        const states = evidence.find([...(server.secrets.get("state") ?? [])])
        assert.deepStrictEqual(
          states.filter((found) => !found.startsWith("arguments of")),
          []
        )
        assert.isAbove(evidence.counts().arguments, 0)
      })
    )
  }
})
