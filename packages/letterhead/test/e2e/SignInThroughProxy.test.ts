/** The command behind the proxy of a company, with real processes, a real proxy and servers that speak TLS. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Proxy from "../../../mcp/test/support/Proxy.ts"
import { AUTHORITY_FILE } from "../../../mcp/test/support/SecureServer.ts"
import * as AuthorizationServer from "../cli/support/AuthorizationServer.ts"
import * as Browser from "../cli/support/Browser.ts"
import { person } from "../cli/support/Command.ts"

const CREDENTIALS = "ada:canary-of-a-proxy"

/** A person behind a proxy who has a server that asks for a sign-in, and a browser in which somebody agrees. */
const someone = Effect.fnUntraced(function* (options: Proxy.ProxyOptions = {}) {
  const server = yield* AuthorizationServer.make({ secure: true })
  const proxy = yield* Proxy.make(options)
  const of = yield* person
  yield* of.writeOwn("letterhead.json", {
    mcpServers: { notes: { url: server.url } },
    credentials: { storage: "filesystem" }
  })
  const env = {
    ...(yield* Browser.install(of)),
    NODE_EXTRA_CA_CERTS: AUTHORITY_FILE,
    HTTPS_PROXY: `http://${CREDENTIALS}@${proxy.host}`
  }
  const run = (...args: ReadonlyArray<string>) => of.run(args, { env })
  let known = 0
  /** Where tunnels were asked for since it was called last. */
  const tunnels = () => {
    const targets = proxy.seen.slice(known).map(({ target }) => target)
    known = proxy.seen.length
    return new Set(targets.map((target) => (target === new URL(server.url).host ? "server" : "authorization server")))
  }
  return { proxy, run, server, tunnels }
})

describe.concurrent("behind a proxy", () => {
  it.live("signing in, renewing and signing out go through it", () =>
    Effect.gen(function* () {
      const { run, server, tunnels } = yield* someone()
      expect(yield* run("login", "notes")).toMatchObject({ code: 0 })
      expect(tunnels()).toEqual(new Set(["server", "authorization server"]))
      expect(yield* run("call", "notes", "echo", "message=hello")).toMatchObject({ code: 0, stderr: "" })
      expect(tunnels()).toEqual(new Set(["server"]))
      yield* server.expire
      expect(yield* run("call", "notes", "echo", "message=hello")).toMatchObject({ code: 0, stderr: "" })
      expect(server.grants).toEqual(["authorization_code", "refresh_token"])
      expect(tunnels()).toEqual(new Set(["server", "authorization server"]))
      expect(yield* run("logout", "notes", "--revoke")).toMatchObject({ code: 0, stderr: "" })
      expect(server.revoked).toEqual(["refresh_token", "access_token"])
      expect(tunnels()).toEqual(new Set(["authorization server"]))
    })
  )

  it.live("that refuses, signing in fails with its name, and nothing is asked past it", () =>
    Effect.gen(function* () {
      const { proxy, run, server } = yield* someone({ refuse: 407 })
      const ended = yield* run("login", "notes")
      expect(ended).toMatchObject({ code: 4, stdout: "" })
      expect(ended.stderr).toContain(`the proxy http://${proxy.host} asks for credentials`)
      expect(ended.stderr).not.toContain(CREDENTIALS)
      expect(yield* server.requests).toEqual([])
      expect(server.grants).toEqual([])
    })
  )
})
