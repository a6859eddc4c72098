/** What finds nothing elsewhere finds a secret here. */
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as Redacted from "effect/Redacted"
import {
  ADDED,
  HEADER,
  INCOMING,
  IN_FILE,
  IN_URL,
  PASSWORD,
  PRINTED,
  QUOTED,
  SECRETS,
  STORED,
  THROWN,
  VARIABLE,
  scene
} from "./Canary.ts"

const ENCODED = "canary2a9c6fencoded"
const COUNTED = "canary70be4dcounted"
const CUT = "canary95ad18cut0off"
const QUOTED_BY = [
  (text: string) => JSON.stringify(text),
  encodeURIComponent,
  (text: string) => new URLSearchParams([["key", text]]).toString(),
  (text: string) => Buffer.from(text).toString("hex")
]

describe.concurrent("the evidence", () => {
  it.live("would show a secret in every channel, so that finding none means something", () =>
    Effect.gen(function* () {
      const { evidence, folder, write } = yield* scene
      yield* evidence.observe("log", Effect.logTrace(`a ${PRINTED}`))
      yield* evidence.observe("cause", Effect.logDebug("failed", Cause.fail(new Error(HEADER))))
      yield* evidence.observe("annotation", Effect.annotateLogs(Effect.logInfo("a"), { token: VARIABLE }))
      yield* evidence.observe("attribute", Effect.withSpan(Effect.void, "a", { attributes: { url: IN_URL } }))
      yield* evidence.observe("status", Effect.ignore(Effect.withSpan(Effect.fail(ADDED), "b")))
      yield* evidence.observe("defect", Effect.die(new Error("a", { cause: new Error(THROWN) })))
      yield* evidence.observe("error", Effect.fail({ reason: { deep: [INCOMING] } }))
      yield* evidence.observe("result", Effect.succeed(Buffer.from(`x${ENCODED}`).toString("base64")))
      yield* evidence.observe("redacted", Effect.succeed(Redacted.make("canary of a redacted value")))
      yield* evidence.observe(
        "arguments",
        Effect.callback<void>((done) => {
          import("node:child_process").then(
            ({ execFile }) => execFile("/bin/sh", ["-c", "sleep 0.5", STORED], () => done(Effect.void)),
            (cause) => done(Effect.die(cause))
          )
        })
      )
      evidence.keepOutput("a command", PASSWORD)
      evidence.keepOutput("a command", CUT.slice(0, -3))
      yield* evidence.observe("metric", Metric.update(Metric.counter("of_evidence", { description: COUNTED }), 1))
      for (const [index, quote] of QUOTED_BY.entries()) {
        const other = `${QUOTED}${index}`
        evidence.keepOutput("a command", quote(other))
        assert.isNotEmpty(evidence.find([other]), quote(other))
      }
      write("file", IN_FILE)
      yield* evidence.keepFiles(folder)
      for (const secret of [...SECRETS, ENCODED, COUNTED, CUT]) assert.isNotEmpty(evidence.find([secret]), secret)
      assert.deepStrictEqual(evidence.find(["canary of a redacted value"]), [])
    })
  )
})
