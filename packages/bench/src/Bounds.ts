/** What Letterhead promises of its speed, and whether a run kept it. */
import { CURRENT_LEGACY_OURS, NEW_PER_CALL, OLDER_OURS, PAIRS } from "./Names.ts"
import { heap, latency, perCall, processor } from "./Rounds.ts"
import { loadName, type Results } from "./Suite.ts"

export interface Verdict {
  readonly claim: string
  readonly wanted: string
  readonly measured: string
  readonly met: boolean
}

/** Microseconds of processor time that a call may take beyond the same client on the same wire. */
const PROCESSOR_BOUND = 25
const NEW_PER_CALL_BOUND = 8
/** Microseconds that a settled source may take, and six of them. */
const SOURCE_BOUND = 1
const SIX_SOURCES_BOUND = 5
const CONNECTING_BOUND = 1.15
const FLATNESS_BOUND = 0.05
const SESSION_BYTES_BOUND = 1024
const CONNECTION_BYTES_BOUND = 12 * 1024

/** In the order of the promises; what was not measured is left out. */
export const verdicts = (results: Results): ReadonlyArray<Verdict> => [
  ...callVerdicts(results),
  ...resolvingVerdicts(results),
  ...connectingVerdicts(results),
  ...memoryVerdicts(results),
  ...flatnessVerdicts(results)
]

const callVerdicts = ({ calls }: Results): ReadonlyArray<Verdict> => {
  const many = calls.get(loadName({ format: "json", inFlight: 32 }))
  const single = calls.get(loadName({ format: "json", inFlight: 1 }))
  return [
    ...PAIRS.map(({ ours, bare, wanted }) =>
      atLeast(`calls/s, 32 in flight: ${ours} to ${bare}`, wanted, many?.compared(bare, ours, perCall, ratio))
    ),
    atLeast(
      `calls/s, 32 in flight: ${OLDER_OURS} to ${NEW_PER_CALL}`,
      NEW_PER_CALL_BOUND,
      many?.compared(NEW_PER_CALL, OLDER_OURS, perCall, ratio)
    ),
    ...PAIRS.map(({ ours, bare }) =>
      below(`median latency, 1 in flight: ${ours} to ${bare}`, 1, single?.compared(ours, bare, latency, ratio))
    ),
    ...PAIRS.map(({ ours, undici }) =>
      atMost(
        `processor per call, 32 in flight: ${ours} above ${undici}`,
        PROCESSOR_BOUND,
        many?.compared(ours, undici, processor, difference),
        microseconds
      )
    )
  ].flat()
}

const resolvingVerdicts = ({ resolving }: Results): Verdicts => {
  const taking = (name: string) => resolving.find((row) => row.name === name)?.microseconds ?? Number.NaN
  const six = taking("6 settled sources")
  return [
    ...atMost("resolving: one settled source", SOURCE_BOUND, taking("1 settled source"), microseconds),
    ...atMost("resolving: six settled sources", SIX_SOURCES_BOUND, six, microseconds),
    ...atMost("resolving: the six kinds of sources", SIX_SOURCES_BOUND, taking("six kinds"), microseconds),
    ...atMost("resolving: 50 settled sources", 50 * SOURCE_BOUND, taking("50 settled sources"), microseconds),
    ...atMost("resolving: a source of 50 to one of six", 1, taking("50 settled sources") / 50 / (six / 6), times),
    ...atMost(
      "resolving: 10,000 sessions to 1",
      1 + FLATNESS_BOUND,
      taking("six kinds, sessions: 10000") / taking("six kinds, sessions: 1"),
      times
    ),
    ...atMost(
      "resolving: 100 servers to 1",
      1 + FLATNESS_BOUND,
      taking("six kinds, servers: 100") / taking("six kinds, servers: 1"),
      times
    )
  ]
}

const connectingVerdicts = ({ connecting }: Results): ReadonlyArray<Verdict> =>
  PAIRS.flatMap(({ ours, bare }) =>
    atMost(
      `connecting, era known: ${ours} to ${bare}`,
      CONNECTING_BOUND,
      connecting.compared(ours, bare, latency, ratio),
      times
    )
  )

const memoryVerdicts = ({ sessionMemory, connectionMemory }: Results): ReadonlyArray<Verdict> => [
  ...atMost("heap per session context", SESSION_BYTES_BOUND, sessionMemory.figure(CURRENT_LEGACY_OURS, heap), bytes),
  ...PAIRS.flatMap(({ ours, bare }) =>
    atMost(
      `heap per connection: ${ours} above ${bare}`,
      CONNECTION_BYTES_BOUND,
      connectionMemory.compared(ours, bare, heap, difference),
      bytes
    )
  )
]

const flatnessVerdicts = ({ flatness }: Results): ReadonlyArray<Verdict> => [
  ...atMost(
    "processor per call: 10,000 sessions to 1",
    1 + FLATNESS_BOUND,
    flatness.compared("10,000 sessions", "1 session", processor, ratio),
    times
  ),
  ...atMost(
    "processor per call: 100 servers to 1",
    1 + FLATNESS_BOUND,
    flatness.compared("100 servers", "1 server", processor, ratio),
    times
  )
]

type Verdicts = ReadonlyArray<Verdict>
type Show = (value: number) => string

const ratio = (a: number, b: number): number => a / b
const difference = (a: number, b: number): number => a - b

const times: Show = (value) => `${value.toFixed(2)}×`
const microseconds: Show = (value) => `${value.toFixed(1)} µs`
const bytes: Show = (value) => `${Math.round(value)} B`

const atLeast = (claim: string, bound: number, value: number | undefined): Verdicts =>
  verdict(claim, `≥ ${times(bound)}`, value, times, (measured) => measured >= bound)

const below = (claim: string, bound: number, value: number | undefined): Verdicts =>
  verdict(claim, `< ${times(bound)}`, value, times, (measured) => measured < bound)

const atMost = (claim: string, bound: number, value: number | undefined, show: Show): Verdicts =>
  verdict(claim, `≤ ${show(bound)}`, value, show, (measured) => measured <= bound)

const verdict = (
  claim: string,
  wanted: string,
  value: number | undefined,
  show: Show,
  isMet: (measured: number) => boolean
): Verdicts =>
  value === undefined || Number.isNaN(value) ? [] : [{ claim, wanted, measured: show(value), met: isMet(value) }]
