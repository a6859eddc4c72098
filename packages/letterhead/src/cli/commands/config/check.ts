/**
 * `letterhead config check`: reads the configuration and says all that is wrong with it; exit code 2 where a
 * document cannot be read or a server is skipped. Runs and sends nothing.
 *
 * `--json`: `{ ok, servers: [name], failed: [{ source, code, message }], skipped: [{ name, code, message }], warnings:
 * [{ place, message }], shadowed: [{ name, declared, by, reason? }] }`.
 */
import { McpConfig } from "@letterhead/core/server/McpConfig"
import { formatPlace } from "@letterhead/core/server/ServerEntry"
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import { CliFailure } from "../../CliFailure.ts"
import { describeShadowed, describeSkipped } from "../../ConfigNotes.ts"
import { withHeaders } from "../../LazyLayers.ts"
import { Output } from "../../Output.ts"
import { printable } from "../../Printable.ts"

export const check = Command.make("check", {}, () =>
  withHeaders(
    Effect.gen(function* () {
      const output = yield* Output
      const config = yield* McpConfig
      // Who switched a server off wants it off.
      const bad = config.failed.length + config.skipped.filter(({ reason }) => reason._tag !== "ServerDisabled").length
      if (output.json) {
        yield* output.document({
          ok: bad === 0,
          servers: [...config.servers.keys()],
          failed: config.failed.map(({ origin, reason }) => ({
            source: origin.source,
            code: reason._tag,
            message: reason.message
          })),
          skipped: config.skipped.map(({ name, reason }) => ({ name, code: reason._tag, message: reason.message })),
          warnings: config.warnings.map(({ message, place }) => ({ place: formatPlace(place), message })),
          shadowed: config.shadowed.map(describeShadowed)
        })
      } else {
        const { style } = output
        const lines = [
          ...config.failed.map(({ reason }) => [style.red("failed"), reason.message]),
          ...config.skipped.map((skipped) => [style.red("skipped"), describeSkipped(skipped)]),
          ...config.warnings.map(({ message, place }) => [
            style.yellow("warning"),
            `${formatPlace(place)}: ${message}`
          ]),
          ...config.shadowed.map(({ by, name, place, reason }) => [
            style.dim("shadowed"),
            `"${name}" of ${formatPlace(place)} by ${formatPlace(by)}${reason === undefined ? "" : `: ${reason}`}`
          ]),
          [style.green("usable"), config.servers.size === 0 ? "no server" : [...config.servers.keys()].join(", ")]
        ].map(([label, text]) => `${label}: ${printable(text ?? "")}`)
        yield* output.print(lines.join("\n"))
      }
      yield* bad === 0
        ? Effect.void
        : new CliFailure({
            code: "ConfigInvalid",
            message: `${bad === 1 ? "1 document or server" : `${bad} documents or servers`} cannot be used`
          })
    })
  )
).pipe(Command.withDescription("Say all that is wrong with the configuration"))
