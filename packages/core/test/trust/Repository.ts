/** A repository with a helper in it, and the subject of an entry of it. */
import { dirname } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Environment } from "@letterhead/core/server/Environment"
import type { ServerEntry } from "@letterhead/core/server/ServerEntry"
import * as TrustSubject from "@letterhead/core/trust/TrustSubject"
import { entry, type EntryOptions } from "@letterhead/testing/EntryFixture"
import * as Effect from "effect/Effect"
import { temporaryDirectory, write } from "./Workspace.ts"

export const NODE_PATH = `${dirname(process.execPath)}:/usr/bin:/bin`

/** A repository with a configuration, a script and a module. */
export const repository = Effect.map(temporaryDirectory, (directory) => {
  write(directory, {
    "letterhead.json": "{}",
    "scripts/headers.js": "console.log('{}')",
    "scripts/headers.sh": "#!/bin/sh\necho '{}'",
    "lib/auth.js": "export {}",
    "hooks/session.js": "export default {}"
  })
  return directory
})

export const subjectOf = (of: ServerEntry, environment: Environment = { PATH: NODE_PATH }) =>
  TrustSubject.make(of).pipe(Effect.provideService(Environment, environment), Effect.provide(NodeServices.layer))

export const project = (directory: string, options: EntryOptions = {}): ServerEntry =>
  entry({ scope: "project", directory, workspace: directory, ...options })

export const array = ["node", "./scripts/headers.js"]

export const within = (directory: string, subject: TrustSubject.TrustSubject) =>
  subject.files.map((file) => file.path.slice(directory.length + 1))
