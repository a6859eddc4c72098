import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { errorsOf, person, type Person } from "../support/Command.ts"

const url = "http://127.0.0.1:9/mcp"

const helped = Effect.fnUntraced(function* (someone: Person) {
  const script = yield* someone.program("headers.sh", `#!/bin/sh\ntouch ran\necho '{"A": "b"}'\n`)
  const configuration = yield* someone.write(".mcp.json", {
    mcpServers: { api: { type: "http", url, headersHelper: "./headers.sh" } }
  })
  return { script, configuration }
})

const DIGEST = /sha256:[0-9a-f]{64}/

describe.concurrent("letterhead trust", () => {
  it.live("F31: a helper nobody approved does not run, and the error shows it with its digest, with code 5", () =>
    Effect.gen(function* () {
      const someone = yield* person
      yield* helped(someone)
      const ended = yield* someone.run(["headers", "api"])
      expect(ended).toMatchObject({ code: 5, stdout: "" })
      expect(ended.stderr).toContain("was never approved; nothing was run or sent")
      expect(ended.stderr).toContain("./headers.sh")
      expect(ended.stderr).toMatch(DIGEST)
      expect(ended.stderr).toContain("letterhead trust approve api")
      expect(yield* Effect.exit(someone.read("ran"))).toMatchObject({ _tag: "Failure" })
    })
  )

  it.live("F41: without a terminal approve refuses with code 5, whatever standard input says", () =>
    Effect.gen(function* () {
      const someone = yield* person
      yield* helped(someone)
      for (const args of [
        ["trust", "approve", "api"],
        ["trust", "approve", "api", "--digest", "sha256:00"]
      ]) {
        const ended = yield* someone.run(args, { input: "y\ny\n" })
        expect(ended.code).toBe(5)
        expect(ended.stdout).toMatch(/helper runs +.*\.\/headers\.sh/)
        expect(ended.stdout).toMatch(DIGEST)
      }
      expect((yield* someone.run(["trust", "list"])).stdout).toBe("Nothing is approved.\n")
      expect((yield* someone.run(["headers", "api"])).code).toBe(5)
    })
  )

  it.live("F41: approve takes exactly the digest that is, and only once it is needed", () =>
    Effect.gen(function* () {
      const someone = yield* person
      const { configuration, script } = yield* helped(someone)
      const refused = yield* someone.json(["trust", "approve", "api"])
      expect(refused.code).toBe(5)
      expect(refused.value).toMatchObject({ server: "api", approved: false, already: false, changes: [] })
      expect(errorsOf(refused)).toMatchObject([{ error: { code: "ApprovalRefused", exitCode: 5 } }])
      const digest = DIGEST.exec(refused.stdout)?.[0] ?? ""
      const approved = yield* someone.json(["trust", "approve", "api", "--digest", digest])
      expect(approved).toMatchObject({ code: 0, stderr: "" })
      expect(approved.value).toEqual({
        server: "api",
        digest,
        approved: true,
        already: false,
        passEnv: [],
        subject: expect.arrayContaining([{ label: "sends to", value: url }]),
        files: [{ path: script, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) }],
        changes: []
      })
      expect((yield* someone.run(["headers", "api"])).code).toBe(0)
      expect(yield* someone.read("ran")).toBe("")
      expect((yield* someone.json(["trust", "approve", "api"])).value).toMatchObject({ approved: true, already: true })
      expect((yield* someone.json(["trust", "list"])).value).toEqual({
        approvals: [
          {
            server: "api",
            scope: "project",
            configuration,
            digest,
            approvedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
            passEnv: [],
            subject: expect.any(Array),
            files: expect.any(Array)
          }
        ]
      })
    })
  )

  it.live("F32: a changed script needs another approval, which shows what changed", () =>
    Effect.gen(function* () {
      const someone = yield* person
      const { script } = yield* helped(someone)
      yield* someone.approve("api")
      yield* someone.program("headers.sh", "#!/bin/sh\necho '{}'\n")
      const ended = yield* someone.run(["headers", "api"])
      expect(ended.code).toBe(5)
      expect(ended.stderr).toContain("changed since it was approved")
      expect((yield* someone.json(["servers"])).value).toMatchObject({ servers: [{ trust: "changed" }] })
      const asked = yield* someone.run(["trust", "approve", "api"])
      expect(asked.code).toBe(5)
      expect(asked.stdout).toContain("Changed since you approved it:\n")
      expect(asked.stdout).toContain(`changed: ${script}`)
    })
  )

  it.live("F42: --pass-env lets a helper have a variable, is shown, and is an approval of its own", () =>
    Effect.gen(function* () {
      const someone = yield* person
      yield* someone.program("headers.sh", `#!/bin/sh\nprintf '{"A": "%s"}' "\${MY_TOKEN:-none}"\n`)
      yield* someone.write(".mcp.json", {
        mcpServers: { api: { type: "http", url, headersHelper: "./headers.sh" } }
      })
      const env = { MY_TOKEN: "twenty-two-characters!" }
      yield* someone.approve("api")
      expect((yield* someone.run(["headers", "api"], { env })).stdout).toContain("(4)")
      const asked = yield* someone.run(["trust", "approve", "api", "--pass-env", "MY_TOKEN"])
      expect(asked.code).toBe(5)
      expect(asked.stdout).toContain("What runs would also get: MY_TOKEN")
      yield* someone.approve("api", "--pass-env", "MY_TOKEN")
      expect((yield* someone.run(["headers", "api"], { env })).stdout).toContain("(22, …s!)")
      const withdrawn = yield* someone.run(["trust", "approve", "api"])
      expect(withdrawn.stdout).toContain("- --pass-env MY_TOKEN")
      const badName = yield* someone.run(["trust", "approve", "api", "--pass-env", "MY TOKEN"])
      expect(badName).toMatchObject({ code: 2, stdout: "" })
    })
  )

  it.live("revoke takes the approval back; there is none to take back twice", () =>
    Effect.gen(function* () {
      const someone = yield* person
      const { configuration } = yield* helped(someone)
      yield* someone.approve("api")
      expect((yield* someone.json(["trust", "revoke", "api"])).value).toEqual({
        server: "api",
        configuration,
        revoked: true
      })
      expect((yield* someone.run(["headers", "api"])).code).toBe(5)
      expect(yield* someone.run(["trust", "revoke", "api"])).toEqual({
        code: 2,
        stdout: "",
        stderr: 'error: there is no approval for "api"; see letterhead trust list\n'
      })
    })
  )

  it.live("revoke also works when the server is no longer configured", () =>
    Effect.gen(function* () {
      const someone = yield* person
      yield* helped(someone)
      yield* someone.approve("api")
      yield* someone.write(".mcp.json", { mcpServers: {} })
      expect((yield* someone.run(["trust", "revoke", "api"])).code).toBe(0)
      expect((yield* someone.run(["trust", "list"])).stdout).toBe("Nothing is approved.\n")
    })
  )

  it.live("a server of the person's own needs no approval, and asking for one is a mistake", () =>
    Effect.gen(function* () {
      const someone = yield* person
      yield* someone.writeOwn("letterhead.json", { mcpServers: { mine: { url } } })
      const ended = yield* someone.run(["trust", "approve", "mine"])
      expect(ended).toMatchObject({ code: 2, stdout: "" })
      expect(ended.stderr).toContain('"mine" needs no approval')
    })
  )

  it.live("what is shown cannot drive the terminal or reverse its text", () =>
    Effect.gen(function* () {
      const someone = yield* person
      yield* someone.write(".mcp.json", {
        mcpServers: {
          api: {
            type: "http",
            url,
            headersHelper: { command: ["/bin/sh", "-c", "true \u202e evil \u001b[1A\r hidden"] }
          },
          "worse\u001b[2J": { type: "http", url }
        }
      })
      const ended = yield* someone.run(["trust", "approve", "api"])
      const all = ended.stdout + ended.stderr + (yield* someone.run(["servers"])).stdout
      // oxlint-disable-next-line no-control-regex -- finding control characters is the point
      expect(all).not.toMatch(/[\u001b\u202e\r]/)
      expect(all).toContain("evil")
    })
  )

  it.live("F39: a broken trust store trusts nothing, names its path and stays as it is", () =>
    Effect.gen(function* () {
      const someone = yield* person
      yield* helped(someone)
      yield* someone.approve("api")
      const store = "../home/.local/state/letterhead/trust.json"
      yield* someone.write(store, "{ broken")
      const ended = yield* someone.run(["headers", "api"])
      expect(ended.code).toBe(5)
      expect(ended.stderr).toContain(".local/state/letterhead/trust.json")
      expect(yield* someone.read(store)).toBe("{ broken")
    })
  )
})
