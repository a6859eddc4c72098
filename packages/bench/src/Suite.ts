/**
 * Runs all that is measured with clients and servers, and gives back the rounds.
 *
 * The longest part are the calls: every subject, two forms of an answer, 1, 32 and 128 at a time.
 */
import { type ClientProgram, measureResolving, type Server, startClient, startServer } from "./ChildPrograms.ts"
import { CONNECTING, CURRENT_LEGACY_OURS } from "./Names.ts"
import type { ResolvingRow } from "./Resolving.ts"
import { type Contestant, Rounds } from "./Rounds.ts"
import { groups, subjects } from "./Subjects.ts"
import type { CallsTask, Format, Task, WarmingTask } from "./Task.ts"

export interface SuiteOptions {
  /** How often each is measured. */
  readonly rounds: number
  /** Milliseconds of one measurement of calls. */
  readonly milliseconds: number
  /** How often resolving alone is measured. */
  readonly resolvings: number
  readonly loads: ReadonlyArray<Load>
  /** What goes before; see {@link WARMING} for the default. */
  readonly warming: Partial<WarmingTask>
  /** Which subjects; those of the other parts are measured as far as they are among them. */
  readonly filter: RegExp
  /** A folder for processor profiles. */
  readonly profile: string | undefined
  readonly progress: (text: string) => void
}

export interface Load {
  readonly format: Format
  readonly inFlight: number
}

export interface Results {
  /** By load, as `loadName` has it. */
  readonly calls: ReadonlyMap<string, Rounds>
  readonly connecting: Rounds
  /** Contestants are the four of {@link flatTasks}. */
  readonly flatness: Rounds
  readonly sessionMemory: Rounds
  readonly connectionMemory: Rounds
  readonly resolving: ReadonlyArray<ResolvingRow>
}

export const LOADS: ReadonlyArray<Load> = (["json", "sse"] as const).flatMap((format) =>
  [1, 32, 128].map((inFlight) => ({ format, inFlight }))
)

export const loadName = ({ format, inFlight }: Load): string => `${format} ${inFlight}`

/** Servers that the flatness is measured with. */
const SERVERS = 100
const SESSIONS = 100
const CONNECTS = 40
const SETTLED_CONNECTIONS = 200
const SETTLED_SESSIONS = 10_000
/** The calls of each subject before anything counts, and the milliseconds that they may take. */
const WARMING: WarmingTask = { kind: "warming", calls: 30_000, milliseconds: 6_000 }

export const run = async (options: SuiteOptions): Promise<Results> => {
  options.progress("resolving")
  const resolving = await measureResolving(options.resolvings)
  const server = await startServer(SERVERS)
  const programs = new Map<string, ClientProgram>()
  try {
    const chosen = [...subjects.keys()].filter((name) => options.filter.test(name))
    for (const name of chosen) programs.set(name, startClient(name, server, options.profile))
    const connecting = new Rounds()
    const flatness = new Rounds()
    options.progress("warming up")
    await new Rounds().add(contestants(programs, { ...WARMING, ...options.warming }), 0)
    const measured = await callRounds(programs, options)
    options.progress("connecting")
    const lasting = new Map([...programs].filter(([name]) => CONNECTING.has(name)))
    for (let round = 0; round < options.rounds; round++) {
      await connecting.add(contestants(lasting, { kind: "connect", times: CONNECTS }), round)
    }
    options.progress("sessions and servers")
    const flat = programs.get(CURRENT_LEGACY_OURS)
    if (flat !== undefined) await flatRounds(flat, flatness, options)
    return {
      calls: measured,
      connecting,
      flatness,
      resolving,
      ...(await memory(chosen, server, options))
    }
  } finally {
    await Promise.all([...programs.values()].map((program) => program.close()))
    server.close()
  }
}

/** What the bounds speak of is measured three times as often as the rest. */
const roundsOf = ({ format, inFlight }: Load, { rounds }: SuiteOptions): number =>
  format === "json" && inFlight < 128 ? rounds : Math.ceil(rounds / 3)

const callRounds = async (programs: ReadonlyMap<string, ClientProgram>, options: SuiteOptions) => {
  const rounds = new Map(options.loads.map((load) => [loadName(load), new Rounds()]))
  const turns = groups.map((group) => new Map([...programs].filter(([name]) => group.has(name))))
  for (const load of options.loads) {
    options.progress(`calls, ${loadName(load)} in flight`)
    for (const group of turns) {
      for (let round = 0; round < roundsOf(load, options); round++) {
        await rounds.get(loadName(load))?.add(contestants(group, calls(load, options.milliseconds)), round)
      }
    }
  }
  return rounds
}

/** The four that are compared for flatness: few and many sessions, one server and many. */
const flatTasks: ReadonlyMap<string, Pick<CallsTask, "sessions" | "servers">> = new Map([
  ["1 session", { sessions: 1, servers: 1 }],
  ["10,000 sessions", { sessions: SETTLED_SESSIONS, servers: 1 }],
  ["1 server", { sessions: SESSIONS, servers: 1 }],
  ["100 servers", { sessions: SESSIONS, servers: SERVERS }]
])

const flatRounds = async (program: ClientProgram, rounds: Rounds, options: SuiteOptions) => {
  const flat = (milliseconds: number): ReadonlyArray<Contestant> =>
    [...flatTasks].map(([name, numbers]) => ({
      name,
      program,
      task: { ...calls({ format: "json", inFlight: 32 }, milliseconds), ...numbers }
    }))
  // Long enough for every session to have made a call, and every server to have been connected to.
  await new Rounds().add(flat(options.milliseconds * 10), 0)
  for (let round = 0; round < options.rounds * 2; round++) {
    await rounds.add(flat(options.milliseconds), round)
  }
}

/** In processes of their own, in which nothing else was done. */
const memory = async (
  chosen: ReadonlyArray<string>,
  server: Server,
  options: SuiteOptions
): Promise<Pick<Results, "sessionMemory" | "connectionMemory">> => {
  const sessionMemory = new Rounds()
  const connectionMemory = new Rounds()
  options.progress("memory")
  for (const name of chosen.filter((subject) => CONNECTING.has(subject))) {
    const program = startClient(name, server, undefined)
    const measure = (rounds: Rounds, task: Task) => rounds.add([{ name, program, task }], 0)
    if (name === CURRENT_LEGACY_OURS) {
      await measure(sessionMemory, { kind: "session memory", sessions: SETTLED_SESSIONS })
    }
    await measure(connectionMemory, { kind: "connection memory", servers: SETTLED_CONNECTIONS })
    await program.close()
  }
  return { sessionMemory, connectionMemory }
}

const contestants = (programs: ReadonlyMap<string, ClientProgram>, task: Task): ReadonlyArray<Contestant> =>
  [...programs].map(([name, program]) => ({ name, program, task }))

const calls = ({ format, inFlight }: Load, milliseconds: number): CallsTask => ({
  kind: "calls",
  format,
  inFlight,
  milliseconds,
  sessions: SESSIONS,
  servers: 1
})
