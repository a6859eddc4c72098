/**
 * A call as it travels through an SDK's client: in the options of a request.
 *
 * The client of SDK 2 hands `headers` on to its transport and copies them from leg to leg, symbols too; the client of
 * SDK 1 hands on no more than `onresumptiontoken`. Both carry the call under a symbol, which nothing on the way reads
 * or writes. Options without it are those of a request that the client sends for itself.
 */
import type { TransportSendOptions } from "@modelcontextprotocol/client"
import type { Call } from "./Call.ts"

const CALL: unique symbol = Symbol("@letterhead/mcp/call/Call")

interface Carrying {
  readonly [CALL]: Call
}

/** The options that carry a call. */
export interface CarriedOptions {
  readonly headers: Readonly<Record<string, string>>
  readonly onresumptiontoken: (token: string) => void
}

/** The options that carry `call` through the client of either SDK. */
export const carry = (call: Call): CarriedOptions => ({
  headers: { [CALL]: call },
  onresumptiontoken: Object.assign(() => {}, { [CALL]: call })
})

/** The call that the options of a request carry. */
export const carried = (options: TransportSendOptions | undefined): Call | undefined =>
  callOf(options?.headers) ?? callOf(options?.onresumptiontoken)

const callOf = (option: object | undefined): Call | undefined =>
  option !== undefined && isCarrying(option) ? option[CALL] : undefined

const isCarrying = (option: object): option is Carrying => CALL in option
