/**
 * The process of one subject: does the tasks that come over the channel, one at a time, and answers each.
 *
 * Arguments: the name of the subject and the ports of the servers. Needs `--expose-gc`.
 */
import { inspect } from "node:util"
import { type Session, sessions } from "./BenchHeaders.ts"
import { median } from "./Median.ts"
import type { Connection } from "./Subject.ts"
import { subjects } from "./Subjects.ts"
import { type CallsTask, type Format, type Measurement, type Task, WARM_UP, type WarmingTask } from "./Task.ts"

const [name = "", ...ports] = process.argv.slice(2)
const load = subjects.get(name)
if (load === undefined) throw new Error(`no subject is called ${name}`)
const subject = await load()
const { era, open, prepare } = subject

const connections = new Map<string, Array<Connection>>()
let connected = false
const conversations = sessions(10_000)

/** What is done before the heap is looked at: caches fill and code is compiled that is of no one call. */
const SETTLING_CALLS = 2_000
const SETTLING_CONNECTIONS = 20
const SETTLING_CONNECTS = 150
const NOTHING = { elapsed: 0, processor: 0, latency: 0 }

process.on("message", (task: Task) => {
  perform(task).then(
    (measurement) => process.send?.({ measurement }),
    (failure: unknown) => process.send?.({ failure: inspect(failure) })
  )
})
process.on("disconnect", () => void end())

function perform(task: Task): Promise<Measurement> {
  switch (task.kind) {
    case "warming":
      return warm(task)
    case "calls":
      return callFor(task)
    case "connect":
      return connectTimes(task.times)
    case "session memory":
      return sessionMemory(task.sessions)
    default:
      return connectionMemory(task.servers)
  }
}

async function warm({ calls, milliseconds }: WarmingTask): Promise<Measurement> {
  const opened = await connectionsTo("json", 1)
  const begun = performance.now()
  let measured = await callUntil(opened, conversations.slice(0, 100), 32, WARM_UP)
  for (let count = 0; count < calls && performance.now() - begun < milliseconds; count += measured.count) {
    measured = await callUntil(opened, conversations.slice(0, 100), 32, WARM_UP)
  }
  return measured
}

async function callFor(task: CallsTask): Promise<Measurement> {
  const opened = await connectionsTo(task.format, task.servers)
  const taking = conversations.slice(0, task.sessions)
  await callUntil(opened, taking, task.inFlight, Math.min(task.milliseconds, WARM_UP))
  return callUntil(opened, taking, task.inFlight, task.milliseconds)
}

async function callUntil(
  opened: ReadonlyArray<Connection>,
  taking: ReadonlyArray<Session>,
  inFlight: number,
  milliseconds: number
): Promise<Measurement> {
  const latencies: Array<number> = []
  const turns = { connection: 0, session: 0 }
  const before = process.cpuUsage()
  const start = performance.now()
  const end = start + milliseconds
  const lane = async (): Promise<void> => {
    let from = start
    do {
      turns.connection = (turns.connection + 1) % opened.length
      turns.session = (turns.session + 1) % taking.length
      await at(opened, turns.connection).call(at(taking, turns.session))
      const now = performance.now()
      latencies.push(now - from)
      from = now
    } while (from < end)
  }
  await Promise.all(Array.from({ length: inFlight }, lane))
  return measurement(latencies, (performance.now() - start) * 1000, process.cpuUsage(before))
}

async function connectTimes(times: number): Promise<Measurement> {
  const url = urlOf("json", 0, "connecting")
  // The first of all are many, so that the compiler has seen them.
  for (let index = connected ? SETTLING_CONNECTS : 0; index < SETTLING_CONNECTS; index++)
    await (await open(url)).close()
  connected = true
  await (await open(url)).close()
  const latencies: Array<number> = []
  const before = process.cpuUsage()
  for (let index = 0; index < times; index++) {
    const from = performance.now()
    const connection = await open(url)
    latencies.push(performance.now() - from)
    await connection.close()
  }
  const elapsed = latencies.reduce((sum, latency) => sum + latency, 0) * 1000
  return measurement(latencies, elapsed, process.cpuUsage(before))
}

async function sessionMemory(count: number): Promise<Measurement> {
  const connection = at(await connectionsTo("json", 1), 0)
  const callAll = async (made: ReadonlyArray<Session>) => {
    for (const session of made) await connection.call(session)
  }
  await callAll(conversations.slice(0, SETTLING_CALLS))
  const before = heapUsed()
  const made = sessions(count, "another-session")
  await callAll(made)
  return { ...NOTHING, count: made.length, heap: (heapUsed() - before) / count }
}

async function connectionMemory(count: number): Promise<Measurement> {
  const opened: Array<Connection> = []
  const add = async (index: number) => {
    const connection = await open(urlOf("json", 0, String(index)))
    await connection.call(at(conversations, 0))
    opened.push(connection)
  }
  for (let index = 0; index < SETTLING_CONNECTIONS + count; index++) prepare?.(urlOf("json", 0, String(index)))
  for (let index = 0; index < SETTLING_CONNECTIONS; index++) await add(index)
  const before = heapUsed()
  for (let index = 0; index < count; index++) await add(SETTLING_CONNECTIONS + index)
  const heap = (heapUsed() - before) / count
  await Promise.all(opened.map((connection) => connection.close()))
  return { ...NOTHING, count, heap }
}

async function connectionsTo(format: Format, count: number): Promise<ReadonlyArray<Connection>> {
  const opened = connections.get(format) ?? []
  connections.set(format, opened)
  if (opened.length < count) {
    while (opened.length < count) opened.push(await open(urlOf(format, opened.length)))
    await age(opened)
  }
  return opened.slice(0, count)
}

/**
 * Lets connections live through a full garbage collection while calls are under way.
 *
 * It puts the tables of an SDK's client among the old objects, and from then on more of what calls leave behind outlives
 * the collections of the young ones. Sooner or later that happens to every connection; here it would be luck to whose.
 */
async function age(opened: ReadonlyArray<Connection>): Promise<void> {
  const calling = callUntil(opened, conversations.slice(0, 100), 32, WARM_UP)
  setTimeout(() => globalThis.gc?.(), WARM_UP / 2)
  await calling
}

function urlOf(format: Format, server: number, further = ""): URL {
  return new URL(`http://127.0.0.1:${at(ports, server)}/${era}/${format}/${further}`)
}

function heapUsed(): number {
  for (let times = 0; times < 4; times++) globalThis.gc?.()
  return process.memoryUsage().heapUsed
}

function measurement(latencies: ReadonlyArray<number>, elapsed: number, used: NodeJS.CpuUsage): Measurement {
  return {
    count: latencies.length,
    elapsed,
    processor: used.user + used.system,
    latency: median(latencies) * 1000,
    heap: 0
  }
}

async function end(): Promise<void> {
  const all = [...connections.values()].flat()
  await Promise.race([
    Promise.allSettled(all.map((connection) => connection.close())).then(() => subject.close?.()),
    new Promise((resolve) => setTimeout(resolve, 2_000))
  ])
  process.exit(0)
}

function at<A>(list: ReadonlyArray<A>, index: number): A {
  const found = list[index]
  if (found === undefined) throw new Error(`there is no number ${index} of ${list.length}`)
  return found
}
