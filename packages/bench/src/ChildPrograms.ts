/**
 * The processes of a run: one server, and one for each subject, all alive until the end.
 *
 * All are children of the benchmark and end with it: each exits when its channel closes. What measures resolving alone
 * is another, and ends by itself.
 */
import { type ChildProcess, fork } from "node:child_process"
import { join } from "node:path"
import type { ResolvingRow } from "./Resolving.ts"
import type { Measurement, Task } from "./Task.ts"

export interface Server {
  readonly ports: ReadonlyArray<number>
  readonly close: () => void
}

export interface ClientProgram {
  /** Rejects where a call was refused or the process ended. */
  readonly perform: (task: Task) => Promise<Measurement>
  /** Ends it, once what it has written about itself is on the disk. */
  readonly close: () => Promise<void>
}

/** A server process that listens on so many ports. */
export const startServer = async (ports: number): Promise<Server> => {
  const child = fork(join(import.meta.dirname, "BenchServer.ts"), [String(ports)])
  const message = await reply<{ readonly ports: ReadonlyArray<number> }>(child, "the server")
  return { ports: message.ports, close: () => child.disconnect() }
}

/** The process of a subject; `profile` names a folder for its processor profile. */
export const startClient = (subject: string, server: Server, profile: string | undefined): ClientProgram => {
  const child = fork(join(import.meta.dirname, "ClientProcess.ts"), [subject, ...server.ports.map(String)], {
    execArgv: ["--expose-gc", ...(profile === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${profile}`])]
  })
  return {
    perform: async (task) => {
      // Where the channel is closed, the process has ended, and that is what is told below.
      child.send(task, () => {})
      const answer = await reply<{ readonly measurement: Measurement } | { readonly failure: string }>(child, subject)
      if ("failure" in answer) throw new Error(`${subject}: ${answer.failure}`)
      return answer.measurement
    },
    close: () =>
      new Promise((resolve) => {
        if (child.exitCode !== null) {
          resolve()
          return
        }
        child.once("exit", () => resolve())
        child.disconnect()
      })
  }
}

/** What resolving alone takes, measured so often. */
export const measureResolving = async (rounds: number): Promise<ReadonlyArray<ResolvingRow>> => {
  const child = fork(join(import.meta.dirname, "ResolvingProcess.ts"), [String(rounds)])
  const { rows } = await reply<{ readonly rows: ReadonlyArray<ResolvingRow> }>(child, "resolving")
  return rows
}

/** The next message of a process, or the news that there is none. */
const reply = <A>(child: ChildProcess, name: string): Promise<A> =>
  new Promise((resolve, reject) => {
    const receive = (message: A) => {
      child.off("exit", exit)
      resolve(message)
    }
    const exit = (code: number | null) => {
      child.off("message", receive)
      reject(new Error(`the process of ${name} ended with ${code}`))
    }
    if (child.exitCode !== null) return exit(child.exitCode)
    child.once("message", receive)
    child.once("exit", exit)
  })
