/**
 * A project as somebody would have cloned it, in a temporary folder: a configuration, a helper that issues tokens
 * valid for a moment, and a hook. All of it is gone when the scope closes.
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"

/** Milliseconds for which a token of the demo's helper is good. */
export const TOKEN_LIFETIME = 1_500

export interface DemoServer {
  readonly name: string
  readonly url: string
}

export interface DemoWorkspace {
  /** Absolute path of the configuration file. */
  readonly configFile: string
  /** Absolute folder for approvals, outside the project. */
  readonly stateDirectory: string
  readonly folder: string
}

/** Where the helper registers the tokens it issues for a server, for that server to accept. */
export const tokensFile = (path: Path.Path, root: string, server: string): string => path.join(root, `${server}.tokens`)

/** The folder that everything of the demo lies in. */
export const makeRoot = Effect.flatMap(FileSystem.FileSystem, (fs) =>
  // The real path: a digest covers it, and a temporary folder may be a link.
  Effect.flatMap(fs.makeTempDirectoryScoped({ prefix: "letterhead-demo-" }), fs.realPath)
)

/** Writes the project for servers that are already there. */
export const write = Effect.fnUntraced(function* (root: string, servers: ReadonlyArray<DemoServer>) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const folder = path.join(root, "project")
  yield* fs.makeDirectory(path.join(folder, ".git"), { recursive: true })
  const file = (name: string, text: string) => fs.writeFileString(path.join(folder, name), text)
  yield* file("issue-token.mjs", helperProgram)
  yield* file("session-headers.mjs", hookModule)
  yield* file("letterhead.json", configuration(path, root, servers))
  return {
    folder,
    configFile: path.join(folder, "letterhead.json"),
    stateDirectory: path.join(root, "state")
  } satisfies DemoWorkspace
})

const configuration = (path: Path.Path, root: string, servers: ReadonlyArray<DemoServer>): string =>
  JSON.stringify(
    {
      mcpServers: Object.fromEntries(
        servers.map(({ name, url }) => [
          name,
          {
            type: "http",
            url,
            headers: { "X-Team": "blue", Authorization: "Bearer written-in-the-file" },
            headersHelper: { command: [process.execPath, "./issue-token.mjs", tokensFile(path, root, name)] }
          }
        ])
      ),
      hooks: ["./session-headers.mjs"]
    },
    null,
    2
  )

/** Issues a token, registers it for the server as `LoopbackServerTokens` reads it, and prints the headers. */
const helperProgram = `import { appendFileSync } from "node:fs"
import { randomUUID } from "node:crypto"

const [tokens] = process.argv.slice(2)
const token = randomUUID()
appendFileSync(tokens, token + " " + (Date.now() + ${TOKEN_LIFETIME}) + "\\n")
console.log(JSON.stringify({ Authorization: "Bearer " + token }))
`

const hookModule = `export default {
  "mcp.call.before": async (input, output) => {
    output.headers["X-Session-Id"] = input.sessionID
  }
}
`
