/**
 * What carries the messages of a connection at a moment: one transport, in one session of the server.
 */
import type { Transport } from "@modelcontextprotocol/client"

/** How messages travel: Streamable HTTP, HTTP+SSE, or the standard streams of a program. */
export type CarrierKind = "http" | "sse" | "stdio"

export interface Carrier {
  readonly kind: CarrierKind
  /** Not started where the carrier is new. */
  readonly transport: Transport
  /** Ends the session at the server. */
  readonly terminate?: () => Promise<void>
  /** Its session is over: streams that are open may bring what is still to come, and no other is opened. */
  readonly retire?: () => void
}

/**
 * Says that the server has forgotten the session of a carrier, or that its stream is gone; `eventId` is where a stream
 * stood that can therefore not be resumed.
 */
export type Lost = (eventId?: string) => void
