/** What a native entry of one server comes to: its entry, or the reason for which it is skipped. */
import * as ConfigLayer from "../src/ConfigLayer.ts"
import { Environment } from "@letterhead/core/server/Environment"
import * as McpConfig from "@letterhead/core/server/McpConfig"
import * as Effect from "effect/Effect"

const origin = { scope: "user", source: "program" } as const

export const load = (entry: unknown) =>
  McpConfig.McpConfig.pipe(
    Effect.provide(ConfigLayer.values({ a: entry }, { origin })),
    Effect.provideService(Environment, { SET: "set" })
  )

export const entryOf = (entry: unknown) =>
  Effect.flatMap(load({ url: "https://a", ...Object(entry) }), (config) => config.get("a"))

export const reasonOf = (entry: unknown) =>
  Effect.map(
    load({ url: "https://a", ...Object(entry) }),
    (config) => config.skipped[0]?.reason.message.replace("program (mcpServers.a", "(") ?? "not skipped"
  )
