import { describe, expect, it } from "@effect/vitest"
import * as LoopbackServer from "@letterhead/testing/LoopbackServer"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { spawn } from "node:child_process"
import { existsSync, openSync } from "node:fs"
import { kill } from "node:process"
import { MAIN, person, type Person } from "./support/Command.ts"

/** Milliseconds between two looks. */
const POLL = 20

/** Runs the command, sends it a signal once `ready` holds, and waits for its end. */
const signalled = Effect.fnUntraced(function* (
  someone: Person,
  args: ReadonlyArray<string>,
  signal: "SIGINT" | "SIGTERM",
  ready: Effect.Effect<boolean>
) {
  let pid = 0
  const running = yield* Effect.forkChild(someone.run(args, { started: (started) => (pid = started) }))
  const untilReady = Effect.flatMap(ready, (isReady) => (isReady ? Effect.void : Effect.sleep(POLL)))
  yield* Effect.raceFirst(
    Effect.repeat(Effect.andThen(untilReady, ready), { until: (isReady) => isReady }),
    Effect.flatMap(Fiber.join(running), (ended) => Effect.die(new Error(`it ended too early: ${ended.stderr}`)))
  )
  kill(pid, signal)
  return yield* Fiber.join(running)
})

const isAlive = (pid: number): boolean => {
  try {
    return kill(pid, 0)
  } catch {
    return false
  }
}

describe("signals and closed pipes", () => {
  for (const [signal, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143]
  ] as const) {
    it.live(`${signal} while a helper runs ends with ${code} and leaves no process of the helper's group`, () =>
      Effect.gen(function* () {
        const someone = yield* person
        // A process of its own that outlives the shell unless the whole group is killed.
        yield* someone.program("slow.sh", "#!/bin/sh\nsleep 60 &\necho $! > child\nmv child pid\nwait\n")
        yield* someone.writeOwn("letterhead.json", {
          mcpServers: {
            api: {
              url: "http://127.0.0.1:9/mcp",
              headersHelper: { command: [`${someone.project}/slow.sh`], timeout: 30_000 }
            }
          }
        })
        const pidFile = Effect.sync(() => existsSync(`${someone.home}/.config/letterhead/pid`))
        const ended = yield* signalled(someone, ["headers", "api"], signal, pidFile)
        expect(ended).toMatchObject({ code, stdout: "" })
        expect(ended.stderr).not.toMatch(/\n\s+at /)
        const child = Number(yield* someone.read("../home/.config/letterhead/pid"))
        for (let waited = 0; isAlive(child) && waited < 2_000; waited += 50) yield* Effect.sleep(50)
        expect(isAlive(child)).toBe(false)
      })
    )
  }

  it.live("SIGINT in the middle of a call cancels it at the server and closes the MCP session", () =>
    Effect.gen(function* () {
      const server = yield* LoopbackServer.make({ era: "legacy" })
      const someone = yield* person
      yield* someone.writeOwn("letterhead.json", { mcpServers: { api: { url: server.url } } })
      const arrived = Effect.map(server.slowCalls, (calls) => calls.length > 0)
      const ended = yield* signalled(someone, ["call", "api", "slow", "ms=30000"], "SIGINT", arrived)
      expect(ended).toMatchObject({ code: 130, stdout: "", stderr: "" })
      expect(yield* server.slowCalls).toMatchObject([{ outcome: "cancelled" }])
      expect(yield* server.sessions).toEqual([])
    })
  )

  it.live("a reader that goes away, as `| head -1` does, is no error", () =>
    Effect.gen(function* () {
      const server = yield* LoopbackServer.make({ era: "modern" })
      const someone = yield* person
      yield* someone.writeOwn("letterhead.json", { mcpServers: { api: { url: server.url } } })
      const ended = yield* Effect.callback<{ code: number | null; stderr: string }>((resume) => {
        const child = spawn(process.execPath, [MAIN, "tools", "api", "--json"], {
          cwd: someone.project,
          env: someone.env,
          stdio: ["ignore", "pipe", "pipe"]
        })
        // Nobody reads, from the start.
        child.stdout.destroy()
        let stderr = ""
        child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()))
        child.once("exit", (code) => resume(Effect.succeed({ code, stderr })))
      })
      expect(ended).toEqual({ code: 0, stderr: "" })
    })
  )

  it.live("a full disk behind standard output is an error of one line", (context) =>
    Effect.gen(function* () {
      // A device of Linux that takes nothing.
      if (!existsSync("/dev/full")) context.skip()
      const someone = yield* person
      const ended = yield* Effect.callback<{ code: number | null; stderr: string }>((resume) => {
        const child = spawn(process.execPath, [MAIN, "servers"], {
          cwd: someone.project,
          env: someone.env,
          stdio: ["ignore", openSync("/dev/full", "w"), "pipe"]
        })
        let stderr = ""
        child.stderr?.on("data", (chunk: Buffer) => (stderr += chunk.toString()))
        child.once("close", (code) => resume(Effect.succeed({ code, stderr })))
      })
      expect(ended).toEqual({ code: 2, stderr: "error: the result cannot be written: ENOSPC\n" })
    })
  )
})
