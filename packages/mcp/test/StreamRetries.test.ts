/** When a stream that broke is opened again; time is the test's. */
import type { Transport } from "@modelcontextprotocol/client"
import { afterEach, assert, beforeEach, describe, it, vi } from "vitest"
import * as HttpCarrier from "../src/session/HttpCarrier.ts"

const initialized = { jsonrpc: "2.0", method: "notifications/initialized" } as const

/** The milliseconds from each request for the stream to the next: the first stream breaks, and no other is to be had. */
const pauses = async (chance: number): Promise<{ readonly pauses: ReadonlyArray<number>; readonly errors: number }> => {
  const asked: Array<number> = []
  let errors = 0
  const { transport } = HttpCarrier.make({
    url: new URL("http://127.0.0.1:9/mcp"),
    fetch: async (_url, init) => {
      if (init?.method === "POST") return new Response(null, { status: 202 })
      asked.push(Date.now())
      if (asked.length > 1) throw new TypeError("nobody is there")
      const body = new ReadableStream({ start: (controller) => controller.error(new Error("it broke")) })
      return new Response(body, { headers: { "content-type": "text/event-stream" } })
    },
    post: () => Promise.reject(new Error("nothing is posted here")),
    lost: () => {},
    chance: () => chance
  })
  const handlers: Pick<Transport, "onerror"> = { onerror: () => void (errors += 1) }
  Object.assign(transport, handlers)
  await transport.start()
  await transport.send(initialized)
  await vi.advanceTimersByTimeAsync(60 * 60_000)
  await transport.close()
  return { pauses: asked.slice(1).map((at, index) => at - (asked[index] ?? Number.NaN)), errors }
}

describe("a stream that broke and cannot be opened again", () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] }))
  afterEach(() => void vi.useRealTimers())

  const doubling = [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000, 30_000, 30_000]

  it("F59: is asked for after twice the time each time, up to half a minute, ten times", async () => {
    const { errors, pauses: waited } = await pauses(0)
    assert.deepStrictEqual(waited, doubling)
    assert.isAbove(errors, 0)
  })

  it("F59: is asked for up to a quarter later, but the first time when the server wishes", async () => {
    const { pauses: waited } = await pauses(1)
    assert.deepStrictEqual(
      waited,
      doubling.map((milliseconds, index) => (index === 0 ? milliseconds : milliseconds * 1.25))
    )
  })
})
