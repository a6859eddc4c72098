/** The official conformance suite as a test sees it: which scenarios a revision requires, and what became of one. */
import * as Schema from "effect/Schema"
import { execFile, execFileSync } from "node:child_process"
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { basename, dirname, join } from "node:path"
import type { Revision } from "../src/Face.ts"
import { Tally } from "../src/Tally.ts"

const PACKAGE = join(import.meta.dirname, "..")
const SUITE = createRequire(import.meta.url).resolve("@modelcontextprotocol/conformance/dist/index.js")
/** What Node keeps of modules: each scenario starts two programs, whose loading is most of its time. */
const COMPILED = join(PACKAGE, "node_modules/.cache/compiled")
/** Milliseconds that the suite gives a client. */
const CLIENT_TIMEOUT = 40_000

/** The client scenarios that a revision requires, those about authorization left out. */
export const required = (revision: Revision): ReadonlyArray<string> =>
  ofClients(revision).filter((name) => !isAuthorization(name))

/** Those about authorization, and the extensions of it, which the suite runs and does not score. */
export const authorizing = (revision: Revision) => ({
  required: ofClients(revision).filter(isAuthorization),
  extensions: [...listed(revision).matchAll(/- (\S+) \[client\]/g)].map(([, name = ""]) => name).filter(isAuthorization)
})

const isAuthorization = (name: string): boolean => name.startsWith("auth/")

const ofClients = (revision: Revision): ReadonlyArray<string> => {
  const [, names = ""] = /^Client scenarios.*\n((?:\s+- .*\n)*)/m.exec(listed(revision)) ?? []
  return [...names.matchAll(/- (\S+)/g)].map(([, name = ""]) => name)
}

const listed = (revision: Revision): string =>
  execFileSync(process.execPath, [SUITE, "list", "--requirements", revision], { encoding: "utf8" })

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
  /** What the client said of its failure, where it failed. */
  readonly stderr: string
}

export interface RunOptions {
  /** Runs also what the revision does not have, such as an extension, or what an older one had. */
  readonly force?: boolean
}

/** Lets a client go through a scenario. What it keeps, it keeps for that long. */
export const run = async (
  face: string,
  scenario: string,
  revision: Revision,
  { force = false }: RunOptions = {}
): Promise<Outcome> => {
  const directory = await mkdtemp(join(tmpdir(), "conformance-"))
  try {
    const output = join(directory, "results")
    const command = `${JSON.stringify(process.execPath)} src/client.ts ${face}`
    const options = ["--scenario", scenario, "--spec-version", revision, "--timeout", String(CLIENT_TIMEOUT)]
    const exitCode = await suite(
      ["client", "--command", command, ...options, ...(force ? ["--force"] : []), "--output-dir", output],
      join(directory, "home")
    )
    const results = (await readdir(output, { recursive: true })).find((name) => basename(name) === "checks.json") ?? ""
    const written = (name: string) => readFile(join(output, dirname(results), name), "utf8")
    const counted = await written("stdout.txt")
    const stderr = await written("stderr.txt")
    if (counted === "") throw new Error(`the client said nothing but: ${stderr}`)
    const checks = Schema.decodeSync(Checks)(await written("checks.json"))
    return {
      passed: checks.filter(({ status }) => status === "SUCCESS").length,
      failed: checks
        .filter(({ status }) => status === "FAILURE" || status === "WARNING")
        .map(({ id, errorMessage }) => `${id}: ${errorMessage ?? ""}`),
      tally: Schema.decodeSync(Schema.fromJsonString(Tally))(counted),
      exitCode,
      stderr
    }
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

const suite = (args: ReadonlyArray<string>, home: string): Promise<number> =>
  new Promise((resolve) => {
    const env = { ...process.env, LETTERHEAD_HOME: home, NODE_COMPILE_CACHE: COMPILED }
    const options = { cwd: PACKAGE, env }
    const child = execFile(process.execPath, [SUITE, ...args], options, () => resolve(child.exitCode ?? -1))
  })
