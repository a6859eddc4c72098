/** Somebody with a server at which they can sign in, and what is kept of them. */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Browser from "./Browser.ts"
import { person, type Person } from "./Command.ts"

/** A person who has a server that asks for a sign-in, and a browser in which somebody agrees to everything. */
export const someone = Effect.fnUntraced(function* (url: string, entry: object = {}, storage = "filesystem") {
  const made = yield* person
  yield* made.writeOwn("letterhead.json", { mcpServers: { notes: { url, ...entry } }, credentials: { storage } })
  return { ...made, browser: yield* Browser.install(made) }
})

/** Signs in at the server. */
export const login = (of: Person & { readonly browser: Readonly<Record<string, string>> }) =>
  of.run(["login", "notes"], { env: of.browser })

/** The text of all files of a person. */
export const keptBy = ({ home }: Person): string =>
  readdirSync(home, { recursive: true, withFileTypes: true })
    .map((file) => (file.isFile() ? readFileSync(join(file.parentPath, file.name), "utf8") : ""))
    .join("\n")
