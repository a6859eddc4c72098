/** An entry of a file in the native form, and what is said about it. */
import { expect } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as ConfigFolder from "../ConfigFolder.ts"

export const FILE = "home/.config/letterhead/letterhead.jsonc"

/** What is said about one entry of a file that holds a good one beside it; the entry starts at 4:5. */
export const reasonFor = (entry: string, environment: Readonly<Record<string, string>> = {}) =>
  Effect.gen(function* () {
    const folder = yield* ConfigFolder.make
    yield* folder.write(
      FILE,
      `{\n  "mcpServers": {\n    "good": { "url": "https://good.example/mcp" },\n    "bad": ${entry}\n  }\n}\n`
    )
    const config = yield* folder.discover({}, environment)
    expect([...config.servers.keys()].filter((name) => name !== "bad")).toEqual(["good"])
    return ConfigFolder.skips(config, folder.root)
      .map((skip) => skip.replace(`bad: ${FILE}:`, ""))
      .join("\n")
  })
