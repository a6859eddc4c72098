/** The reference server of the MCP project, from the package registry, as a process of its own. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import { createServer } from "node:net"
import { fileURLToPath } from "node:url"
import { person } from "./support/Command.ts"

const PROGRAM = fileURLToPath(import.meta.resolve("@modelcontextprotocol/server-everything/dist/index.js"))

/** A port that was free a moment ago; the server takes its port from a variable and no other way. */
const freePort = Effect.callback<number>((resume) => {
  const probe = createServer()
  probe.listen(0, "127.0.0.1", () => {
    const address = probe.address()
    const port = typeof address === "object" && address !== null ? address.port : 0
    probe.close(() => resume(Effect.succeed(port)))
  })
})

/** Its URL, once it listens; it ends with the scope. */
const everything = Effect.gen(function* () {
  const port = yield* freePort
  yield* Effect.acquireRelease(
    Effect.callback<ReturnType<typeof spawn>>((resume) => {
      const child = spawn(process.execPath, [PROGRAM, "streamableHttp"], {
        env: { PATH: process.env["PATH"], PORT: String(port) },
        stdio: ["ignore", "ignore", "pipe"]
      })
      child.stderr.on("data", (chunk: Buffer) => {
        if (chunk.toString().includes("listening")) resume(Effect.succeed(child))
      })
      child.once("exit", (code) => resume(Effect.die(new Error(`server-everything ended with ${code}`))))
    }),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  )
  return `http://127.0.0.1:${port}/mcp`
})

const HELPERS = {
  shell: { "headers.sh": `#!/bin/sh\necho '{"Authorization": "Bearer of-the-shell"}'\n` },
  node: {
    "headers.mjs": `const headers = { Authorization: ["Bearer of-node"] }
      console.log(JSON.stringify({ headers, expires: new Date(Date.now() + 3_600_000).toISOString() }))`
  }
}

describe("server-everything", () => {
  it.live("tools and call work with a helper written in shell and one in Node", () =>
    Effect.gen(function* () {
      const url = yield* everything
      const { approve, json, program, run, write } = yield* person
      for (const files of Object.values(HELPERS)) {
        for (const [name, text] of Object.entries(files)) yield* program(name, text)
      }
      yield* write(".mcp.json", {
        mcpServers: {
          shell: { type: "http", url, headersHelper: "./headers.sh" },
          node: { type: "http", url, headersHelper: { command: [process.execPath, "./headers.mjs"] } }
        }
      })
      for (const server of ["shell", "node"]) {
        expect((yield* run(["call", server, "echo", "message=hello"])).code).toBe(5)
        yield* approve(server)
        expect((yield* run(["tools", server])).stdout).toContain("Returns the sum of two numbers")
        expect(yield* run(["call", server, "echo", "message=hello"])).toEqual({
          code: 0,
          stdout: "Echo: hello\n",
          stderr: ""
        })
      }
      expect((yield* run(["call", "shell", "get-sum", "a=2", "b=40.5"])).stdout).toContain("42.5")
      const missing = yield* run(["call", "shell", "get-sum", "a=2"])
      expect(missing.code).toBe(2)
      expect(missing.stderr).toContain('it needs "b"\nit takes:\n  a (number, required): First number\n')
      expect((yield* run(["call", "node", "get-tiny-image"])).stdout).toContain("[image: image/png, ")
      expect((yield* json(["call", "node", "get-structured-content", "location=Chicago"])).value).toMatchObject({
        isError: false,
        structuredContent: { conditions: expect.any(String) }
      })
    })
  )
})
