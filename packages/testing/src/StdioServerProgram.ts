/**
 * The MCP server that `StdioServerFixture` starts as a program of its own, over its standard streams.
 *
 * | tool | does |
 * |---|---|
 * | `echo` | answers its arguments as JSON text |
 * | `environment` | answers its variables, its working directory and its arguments as JSON text |
 * | `say` | writes the text of `message` to standard error, and answers |
 * | `print` | writes the text of `message` to standard output, where it is no message, and answers |
 * | `exit` | ends with the exit code `code`, without an answer |
 * | `kill` | kills itself with SIGKILL, without an answer |
 * | `flood` | writes to standard output for ever, without a line break |
 * | `slow` | answers after `ms` milliseconds, unless it is cancelled |
 */
import { spawn } from "node:child_process"
import { appendFileSync, writeSync } from "node:fs"
import process from "node:process"
import { Transform } from "node:stream"
import { type CallToolResult, fromJsonSchema, McpServer } from "@modelcontextprotocol/server"
import { serveStdio, StdioServerTransport } from "@modelcontextprotocol/server/stdio"

/** What the program does; nothing where a member is absent. */
export interface StdioBehaviour {
  /** Default `both`. */
  readonly era?: "legacy" | "modern" | "both"
  /** What `server/discover` does to it; default: it is answered as the era has it. */
  readonly onDiscover?: "exit" | "silence"
  /** Text to standard error before anything else. */
  readonly stderr?: string
  /** Text to standard output before anything else. */
  readonly stdout?: string
  /** Starts a process of its own group that holds its standard streams open for a minute. */
  readonly leavesChild?: boolean
  /** Exits with this code at once. */
  readonly exits?: number
  /** Reads its standard input and never answers. */
  readonly silent?: boolean
  /** Goes on when its standard input ends, and after SIGTERM. */
  readonly stubborn?: boolean
}

/** Behaves so, and notes its start, its end and its child in the file `log`. */
export const run = (behaviour: StdioBehaviour, log: string): void => {
  appendFileSync(log, `start ${process.pid}\n`)
  process.on("exit", () => appendFileSync(log, `end ${process.pid}\n`))
  if (behaviour.stderr !== undefined) writeSync(2, behaviour.stderr)
  if (behaviour.stdout !== undefined) writeSync(1, behaviour.stdout)
  if (behaviour.leavesChild === true) {
    const child = spawn("sleep", ["60"], { stdio: "inherit" })
    child.unref()
    appendFileSync(log, `child ${child.pid}\n`)
  }
  if (behaviour.exits !== undefined) process.exit(behaviour.exits)
  if (behaviour.stubborn === true) {
    process.on("SIGTERM", () => {})
    setInterval(() => {}, 1_000)
  }
  if (behaviour.silent === true) return void process.stdin.resume()
  serve(behaviour)
}

const serve = ({ era = "both", onDiscover }: StdioBehaviour): void => {
  const transport = new StdioServerTransport(process.stdin.pipe(watchDiscover(onDiscover)), process.stdout)
  if (era === "legacy") void makeServer().connect(transport)
  else serveStdio(makeServer, { transport, legacy: era === "modern" ? "reject" : "serve" })
}

/** Lets all through but `server/discover`. */
const watchDiscover = (behaviour: StdioBehaviour["onDiscover"]): Transform =>
  new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const asked = behaviour !== undefined && chunk.includes('"server/discover"')
      if (asked && behaviour === "exit") process.exit(1)
      done(null, asked ? undefined : chunk)
    }
  })

const makeServer = (): McpServer => {
  const server = new McpServer({ name: "stdio-fixture", version: "1.0.0" })

  server.registerTool("echo", { description: "Returns its arguments", inputSchema: anything }, (args) =>
    text(JSON.stringify(args))
  )
  server.registerTool("environment", { description: "Returns what it was given", inputSchema: anything }, () =>
    text(JSON.stringify({ variables: process.env, directory: process.cwd(), arguments: process.argv.slice(2) }))
  )
  server.registerTool("say", { description: "Writes to standard error", inputSchema: worded }, ({ message }) => {
    writeSync(2, message)
    return text("said")
  })
  server.registerTool("print", { description: "Writes to standard output", inputSchema: worded }, ({ message }) => {
    writeSync(1, message)
    return text("printed")
  })
  server.registerTool("exit", { description: "Exits", inputSchema: coded }, ({ code }) => process.exit(code))
  server.registerTool("kill", { description: "Kills itself", inputSchema: anything }, () => {
    process.kill(process.pid, "SIGKILL")
    return new Promise<CallToolResult>(() => {})
  })
  server.registerTool("flood", { description: "Floods standard output", inputSchema: anything }, () => {
    const noise = Buffer.alloc(1024 * 1024, "x")
    const write = (): void => void process.stdout.write(noise, write)
    write()
    return new Promise<CallToolResult>(() => {})
  })
  server.registerTool("slow", { description: "Waits", inputSchema: timed }, async ({ ms }, context) => {
    await new Promise((resolve) => {
      const timer = setTimeout(resolve, ms)
      context.mcpReq.signal.addEventListener("abort", () => {
        clearTimeout(timer)
        writeSync(2, "call cancelled\n")
        resolve(undefined)
      })
    })
    return text("answered")
  })
  return server
}

const anything = fromJsonSchema<Record<string, unknown>>({ type: "object" })
const worded = fromJsonSchema<{ readonly message: string }>({
  type: "object",
  properties: { message: { type: "string" } },
  required: ["message"]
})
const coded = fromJsonSchema<{ readonly code: number }>({
  type: "object",
  properties: { code: { type: "integer" } },
  required: ["code"]
})
const timed = fromJsonSchema<{ readonly ms: number }>({
  type: "object",
  properties: { ms: { type: "number" } },
  required: ["ms"]
})

const text = (content: string): CallToolResult => ({ content: [{ type: "text", text: content }] })
