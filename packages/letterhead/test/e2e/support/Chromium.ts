/** The Chromium of this machine, without a window, as Debian packs it. */
import * as Effect from "effect/Effect"
import { spawnSync } from "node:child_process"
import { chromium, type Page } from "playwright-core"

const file = spawnSync("sh", ["-c", "command -v chromium"], { encoding: "utf8" }).stdout.trim()

/** Why there is none here, or `undefined`. */
export const unavailable: string | undefined = file === "" ? "there is no chromium on this machine" : undefined

/** An empty page of a browser that is gone when the scope closes. It reaches this machine alone. */
export const page = Effect.gen(function* () {
  const browser = yield* Effect.acquireRelease(
    Effect.promise(() => chromium.launch({ executablePath: file })),
    (launched) => Effect.promise(() => launched.close())
  )
  return yield* Effect.promise(async (): Promise<Page> => {
    const context = await browser.newContext()
    await context.route(
      ({ hostname }) => hostname !== "127.0.0.1",
      (route) => route.abort()
    )
    return context.newPage()
  })
})
