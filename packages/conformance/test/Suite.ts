/** The official conformance suite as a test sees it: which scenarios a revision requires, and what became of one. */
import * as Schema from "effect/Schema"
import { execFile, execFileSync } from "node:child_process"
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Revision } from "../src/Face.ts"
import { Tally } from "../src/Tally.ts"

const PACKAGE = join(import.meta.dirname, "..")
const SUITE = createRequire(import.meta.url).resolve("@modelcontextprotocol/conformance/dist/index.js")
/** Milliseconds that the suite gives a client. */
const CLIENT_TIMEOUT = 40_000

/** The client scenarios that a revision requires, those about authorization left out. */
export const required = (revision: Revision): ReadonlyArray<string> => {
  const list = execFileSync(process.execPath, [SUITE, "list", "--requirements", revision], { encoding: "utf8" })
  const [, ofClients = ""] = /^Client scenarios.*\n((?:\s+- .*\n)*)/m.exec(list) ?? []
  return [...ofClients.matchAll(/- (\S+)/g)].flatMap(([, name = ""]) => (name.startsWith("auth/") ? [] : [name]))
}

const Checks = Schema.fromJsonString(
  Schema.Array(
    Schema.Struct({ id: Schema.String, status: Schema.String, errorMessage: Schema.optional(Schema.String) })
  )
)

export interface Outcome {
  readonly passed: number
  /** What the suite says of each check that failed, or that it warns of. */
  readonly failed: ReadonlyArray<string>
  /** The requests that the client counted. */
  readonly tally: Tally
  /** Of the suite: 0 where nothing failed, nobody was warned and the client ended well. */
  readonly exitCode: number
}

/** Lets a client go through a scenario. */
export const run = async (face: string, scenario: string, revision: Revision): Promise<Outcome> => {
  const directory = await mkdtemp(join(tmpdir(), "conformance-"))
  try {
    const command = `${JSON.stringify(process.execPath)} src/client.ts ${face}`
    const options = ["--scenario", scenario, "--spec-version", revision, "--timeout", String(CLIENT_TIMEOUT)]
    const exitCode = await suite(["client", "--command", command, ...options, "--output-dir", directory])
    const [results = ""] = await readdir(directory)
    const written = (name: string) => readFile(join(directory, results, name), "utf8")
    const output = await written("stdout.txt")
    if (output === "") throw new Error(`the client said nothing but: ${await written("stderr.txt")}`)
    const checks = Schema.decodeSync(Checks)(await written("checks.json"))
    return {
      passed: checks.filter(({ status }) => status === "SUCCESS").length,
      failed: checks
        .filter(({ status }) => status === "FAILURE" || status === "WARNING")
        .map(({ id, errorMessage }) => `${id}: ${errorMessage ?? ""}`),
      tally: Schema.decodeSync(Schema.fromJsonString(Tally))(output),
      exitCode
    }
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

const suite = (args: ReadonlyArray<string>): Promise<number> =>
  new Promise((resolve) => {
    const child = execFile(process.execPath, [SUITE, ...args], { cwd: PACKAGE }, () => resolve(child.exitCode ?? -1))
  })
