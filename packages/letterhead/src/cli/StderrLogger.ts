/**
 * Log lines on standard error: warnings always, everything with `--verbose`.
 *
 * Only the text of a message and plain annotations are shown. Causes are left out: a foreign exception can quote a
 * secret in its text.
 */
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redactable from "effect/Redactable"
import * as References from "effect/References"
import { Output } from "./Output.ts"
import { printable } from "./Printable.ts"

export const layer: Layer.Layer<never, never, Output> = Logger.layer([
  Effect.map(Output, (output) =>
    Logger.make((options) => {
      const message = (Array.isArray(options.message) ? options.message : [options.message]).map(display).join(" ")
      const annotations = Object.entries(options.fiber.getRef(References.CurrentLogAnnotations))
        .map(([key, value]) => ` ${key}=${display(value)}`)
        .join("")
      const text = printable(`${message}${annotations}`)
      Effect.runSync(
        options.logLevel === "Warn"
          ? output.warn(text)
          : output.aside(
              output.json
                ? JSON.stringify({ log: { level: options.logLevel, message: text } })
                : `${options.logLevel.toLowerCase()}: ${text}`
            )
      )
    })
  )
])

/** A redacted value shows itself as `<redacted>`; anything else that is not plain shows only its kind. */
const display = (value: unknown): string => {
  if (typeof value === "string") return value
  if (typeof value === "number" || typeof value === "boolean" || typeof value === "bigint") return String(value)
  if (Redactable.isRedactable(value)) return "<redacted>"
  return value instanceof Error ? value.name : `<${typeof value}>`
}
