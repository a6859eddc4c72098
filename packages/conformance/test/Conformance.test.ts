import { assert, describe, it } from "@effect/vitest"
import type { Revision } from "../src/Face.ts"
import * as Suite from "./Suite.ts"

/** Scenarios in which the server asks the user something. */
const ELICITING = ["elicitation-sep1034-client-defaults", "sep-2322-client-request-state"]
/** What Effect's client says that it does not do. */
const BEYOND_EFFECT = [...ELICITING, "sse-retry"]
/** Their servers have no tools, prompts or resources: there is nothing for a session to call. */
const WITHOUT_OFFERS: ReadonlySet<string> = new Set(["initialize", "request-metadata"])

const CLIENTS: ReadonlyArray<{
  readonly client: string
  readonly face: string
  readonly revision: Revision
  readonly unable: ReadonlyArray<string>
}> = [
  { client: "SDK v2", face: "sdk", revision: "2025-11-25", unable: [] },
  { client: "SDK v2", face: "sdk", revision: "2026-07-28", unable: [] },
  { client: "SDK v1", face: "older-sdk", revision: "2025-11-25", unable: [] },
  { client: "Effect's client", face: "effect", revision: "2025-11-25", unable: BEYOND_EFFECT },
  { client: "Effect's client", face: "effect", revision: "2026-07-28", unable: BEYOND_EFFECT },
  { client: "a connection", face: "connection", revision: "2025-11-25", unable: [] },
  { client: "a connection", face: "connection", revision: "2026-07-28", unable: [] }
]

const required = {
  "2025-11-25": Suite.required("2025-11-25"),
  "2026-07-28": Suite.required("2026-07-28")
}

it("requires scenarios of a client in both revisions", () => {
  assert.includeMembers([...required["2025-11-25"]], ["initialize", "tools_call", "sse-retry"])
  assert.includeMembers([...required["2026-07-28"]], ["tools_call", "http-standard-headers", "http-custom-headers"])
})

describe.each(CLIENTS)("$client on Letterhead, $revision", { concurrent: true }, ({ face, revision, unable }) => {
  const scenarios = required[revision].filter((scenario) => !unable.includes(scenario))
  it.each(scenarios)("passes %s, with its headers on every request", async (scenario) => {
    const { passed, failed, tally, exitCode } = await Suite.run(face, scenario, revision)
    assert.deepStrictEqual(failed, [])
    assert.isAbove(passed, 0)
    assert.strictEqual(exitCode, 0)
    assert.isAbove(tally.requests, 0)
    assert.strictEqual(tally.withStatic, tally.requests)
    if (!WITHOUT_OFFERS.has(scenario)) assert.isAbove(tally.ofSessions, 0)
    assert.strictEqual(tally.withSession, tally.ofSessions)
  })
})
