/**
 * What a runtime can do for its servers: ask its user, its model, name its roots, take their logs.
 *
 * A capability is announced where the layer has a handler for it, at connect. In the modern era what a server asks
 * belongs to the call that it asks in: the handler of that call's fiber answers, where it has one, else the layer's. In
 * the legacy era a server does not say which call its question belongs to; on a connection that several sessions share
 * the layer's handler answers, as the connection's owner.
 *
 * Handlers read `CurrentCall` for whom they answer: the call, or the connection's own, which has no method.
 */
import type {
  CreateMessageRequest,
  CreateMessageResult,
  ElicitRequest,
  ElicitResult,
  LoggingLevel,
  Root
} from "@modelcontextprotocol/client"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import type * as Effect from "effect/Effect"

/** The runtime does not do it; the server is told why. In the modern era the call fails with it. */
export class FeatureRefused extends Data.TaggedError("FeatureRefused")<{
  /** For the server to read. */
  readonly description: string
}> {
  override get message(): string {
    return this.description
  }
}

export interface ClientFeatures {
  /**
   * Asks the user, by a form or by a URL. One who says no is an answer: `{ action: "decline" }`. Fields of an accepted
   * form that are left out get the defaults of the form.
   */
  readonly elicitation?: (params: ElicitRequest["params"]) => Effect.Effect<ElicitResult, FeatureRefused>
  /** Asks the model. */
  readonly sampling?: (params: CreateMessageRequest["params"]) => Effect.Effect<CreateMessageResult, FeatureRefused>
  /** The folders and files that a server may work on. */
  readonly roots?: Effect.Effect<ReadonlyArray<Root>, FeatureRefused>
  /** From which level on servers are asked to send logs, which are events of the connection. Default: none is asked for. */
  readonly logLevel?: LoggingLevel
}

/** Provide it to the layer; a call may have its own on top. Default: nothing is offered. */
export const ClientFeatures: Context.Reference<ClientFeatures> = Context.Reference<ClientFeatures>(
  "@letterhead/mcp/ClientFeatures",
  { defaultValue: () => ({}) }
)
