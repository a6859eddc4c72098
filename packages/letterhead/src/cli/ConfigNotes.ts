/** What is wrong with a configuration and stops no other server: said once, briefly, beside the result. */
import type { ConfigWarning, McpConfig, ShadowedServer, SkippedServer } from "@letterhead/core/server/McpConfig"
import { formatPlace, type Place } from "@letterhead/core/server/ServerEntry"
import * as Effect from "effect/Effect"
import { Output } from "./Output.ts"
import { printable } from "./Printable.ts"

/** A skipped server in one sentence. */
export const describeSkipped = (skipped: SkippedServer): string => `"${skipped.name}": ${skipped.reason.message}`

/** For `--json`. */
export const describeShadowed = ({ by, name, place, reason }: ShadowedServer) => ({
  name,
  declared: formatPlace(place),
  by: formatPlace(by),
  ...(reason === undefined ? {} : { reason })
})

/** Warns of everything, for a verb about all servers. */
export const warnOfAll = Effect.fnUntraced(function* (config: McpConfig["Service"]) {
  const output = yield* Output
  for (const { reason } of config.failed) yield* output.warn(printable(reason.message))
  for (const skipped of config.skipped) yield* output.warn(printable(`skipped ${describeSkipped(skipped)}`))
  for (const { message, place } of config.warnings) yield* output.warn(printable(`${formatPlace(place)}: ${message}`))
})

/** Warns of what may concern one server, and in one line of everything else. */
export const warnOf = Effect.fnUntraced(function* (config: McpConfig["Service"], server: string) {
  const output = yield* Output
  // A broken document may be the one that names the server.
  for (const { reason } of config.failed) yield* output.warn(printable(reason.message))
  const place = config.servers.get(server)?.place
  const own = config.warnings.filter((warning) => isAbout(warning, place))
  for (const { message, place } of own) yield* output.warn(printable(`${formatPlace(place)}: ${message}`))
  const skipped = config.skipped.filter(({ name }) => name !== server).map(({ name }) => name)
  const others = config.warnings.length - own.length
  const parts = [
    ...(skipped.length === 0 ? [] : [`skipped ${skipped.join(", ")}`]),
    ...(others === 0 ? [] : [`${others} other warning${others === 1 ? "" : "s"}`])
  ]
  if (parts.length > 0) yield* output.warn(printable(`${parts.join("; ")}; see letterhead config check`))
})

/** Whether a warning is about something within an entry; an entry is a key of an object, or an item of a list. */
const isAbout = ({ place }: ConfigWarning, entry: Place | undefined): boolean =>
  entry?.path !== undefined &&
  place.file === entry.file &&
  (place.path === entry.path || place.path?.startsWith(`${entry.path}.`) === true)
