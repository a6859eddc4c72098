/**
 * What every loopback server has, whatever transport it speaks: the record of its requests, the credential it demands
 * at the moment, and the faults that wait for a request or befall the answers that are under way.
 */
import * as Effect from "effect/Effect"
import type * as Http from "node:http"
import { apply, type Break, breakOff, type Fault, FaultQueue } from "./LoopbackServerFault.ts"
import { TokenList } from "./LoopbackServerTokens.ts"
import type { SlowCall, SlowCalls } from "./LoopbackServerTools.ts"
import type { RecordedRequest } from "./RecordedRequest.ts"
import { RequestLog } from "./RequestLog.ts"

/** The answer to a request whose credential is not accepted; a number is the status alone. */
export type Refusal =
  | number
  | { readonly status: number; readonly headers?: Readonly<Record<string, string>>; readonly body?: string }

/** Decides over a request before MCP does: a refusal, or `undefined` to let it pass. */
export type Accept = (headers: ReadonlyMap<string, string>, request: RecordedRequest) => Refusal | undefined

export interface LoopbackServerDemands {
  /** Which requests to refuse at first. Default: none. */
  readonly accept?: Accept
  /** Absolute path of a file in which a process registers the tokens it issues; see `LoopbackServerTokens`. */
  readonly tokensFile?: string
  /** Whether `Authorization: Bearer` with an accepted token is demanded at first. Default: where there is a `tokensFile`. */
  readonly demandToken?: boolean
}

export interface LoopbackServerControls {
  /** Every HTTP request, in order, whatever its path. */
  readonly requests: Effect.Effect<ReadonlyArray<RecordedRequest>>
  /** Forgets the requests and slow calls so far; sessions, demands, tokens and faults stay. */
  readonly clear: Effect.Effect<void>
  /** Replaces `accept`. */
  readonly demand: (accept: Accept) => Effect.Effect<void>
  /** Nothing is demanded any more, no token either. */
  readonly demandNothing: Effect.Effect<void>
  readonly tokens: {
    /** From now on a token is demanded. */
    readonly demand: Effect.Effect<void>
    /** Accepts a token until `expiresAt`, epoch milliseconds; default for ever. */
    readonly accept: (token: string, expiresAt?: number) => Effect.Effect<void>
    /** Withdraws every token known by now, those in the file included. */
    readonly expireAll: Effect.Effect<void>
  }
  /** What happens to the next request that it applies to; several wait in order. */
  readonly respondNext: (fault: Fault) => Effect.Effect<void>
  /** Forgets the faults that wait. */
  readonly clearFaults: Effect.Effect<void>
  /**
   * Breaks off the answers that are under way, streams too, of the requests that `when` accepts (default: all); says how
   * many there were.
   */
  readonly breakOpen: (how: Break, when?: (request: RecordedRequest) => boolean) => Effect.Effect<number>
  /** The calls of the tool `slow`, in the order they arrived. */
  readonly slowCalls: Effect.Effect<ReadonlyArray<SlowCall>>
}

/** The controls, and the server's side of them. */
export class ControlState {
  readonly slowCalls: SlowCalls = []
  private readonly log = new RequestLog()
  private readonly faults = new FaultQueue()
  private readonly tokens: TokenList
  private accept: Accept
  private tokenDemanded: boolean

  constructor(demands: LoopbackServerDemands) {
    this.tokens = new TokenList(demands.tokensFile)
    this.accept = demands.accept ?? acceptAll
    this.tokenDemanded = demands.demandToken ?? demands.tokensFile !== undefined
  }

  /**
   * Records a request, and answers it where a fault or a refusal befalls it or none of the `paths` is its own.
   * `undefined` says that it is answered, or never will be.
   */
  async admit(
    request: Http.IncomingMessage,
    response: Http.ServerResponse,
    body: string,
    paths: ReadonlyArray<string>
  ): Promise<RecordedRequest | undefined> {
    const recorded = this.log.add(request, response, body)
    const fault = this.faults.take(recorded)
    if (fault !== undefined) {
      await apply(fault, recorded, response)
      return undefined
    }
    const refused = paths.includes(urlOf(recorded).pathname) ? this.refusal(recorded) : 404
    if (refused === undefined) return recorded
    refuse(response, refused)
    return undefined
  }

  /** What a test holds; `withMarks` gives requests the marks of the calls they belong to. */
  controls(
    withMarks: (requests: ReadonlyArray<RecordedRequest>) => ReadonlyArray<RecordedRequest>
  ): LoopbackServerControls {
    return {
      requests: Effect.sync(() => withMarks(this.log.list())),
      clear: Effect.sync(() => {
        this.log.clear()
        this.slowCalls.length = 0
      }),
      demand: (next) =>
        Effect.sync(() => {
          this.accept = next
        }),
      demandNothing: Effect.sync(() => {
        this.accept = acceptAll
        this.tokenDemanded = false
      }),
      tokens: {
        demand: Effect.sync(() => {
          this.tokenDemanded = true
        }),
        accept: (token, expiresAt) => Effect.sync(() => this.tokens.accept(token, expiresAt)),
        expireAll: Effect.sync(() => this.tokens.expireAll())
      },
      respondNext: (fault) => Effect.sync(() => this.faults.add(fault)),
      clearFaults: Effect.sync(() => this.faults.clear()),
      breakOpen: (how, when = () => true) =>
        Effect.sync(() => {
          const answering = this.log.answering(when)
          for (const response of answering) breakOff(how, response)
          return answering.length
        }),
      slowCalls: Effect.sync(() => [...this.slowCalls])
    }
  }

  private refusal(request: RecordedRequest): Refusal | undefined {
    const refused = this.accept(request.headers, request)
    if (refused !== undefined || !this.tokenDemanded) return refused
    return this.tokens.accepts(request.headers.get("authorization")) ? undefined : 401
  }
}

const acceptAll: Accept = () => undefined

/** Where a request went, on an origin that stands for the server's own. */
export const urlOf = (request: RecordedRequest): URL => new URL(request.path, "http://127.0.0.1")

/** Answers a request with a refusal. */
export const refuse = (response: Http.ServerResponse, refusal: Refusal): void => {
  const { status, headers, body } = typeof refusal === "number" ? { status: refusal, ...UNEXPLAINED } : refusal
  response.writeHead(status, {
    ...(status === 401 ? { "www-authenticate": 'Bearer realm="loopback"' } : {}),
    "content-type": "application/json",
    ...headers
  })
  response.end(body ?? JSON.stringify({ error: "refused" }))
}

const UNEXPLAINED: { readonly headers?: Readonly<Record<string, string>>; readonly body?: string } = {}

/** Which session a request belongs to, and the id of the call it belongs to where it says another one's. */
export interface Belonging {
  readonly session: string | undefined
  readonly call: string | number | undefined
}

/** Gives cancelled notifications and resumed streams the mark of the call that they belong to. */
export const withMarks = (
  requests: ReadonlyArray<RecordedRequest>,
  belonging: (request: RecordedRequest) => Belonging
): ReadonlyArray<RecordedRequest> => {
  const marks = new Map<string, string>()
  for (const request of requests) {
    if (request.sessionMark !== undefined) {
      marks.set(markKey({ session: belonging(request).session, call: request.rpcId }), request.sessionMark)
    }
  }
  return requests.map((request) => {
    if (request.sessionMark !== undefined) return request
    const mark = marks.get(markKey(belonging(request)))
    return mark === undefined ? request : { ...request, sessionMark: mark }
  })
}

/** JSON-RPC ids count per session. */
const markKey = ({ session, call }: Belonging): string => JSON.stringify([session ?? "", call ?? null])
