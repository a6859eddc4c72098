/**
 * Where a person's configuration and state lie.
 *
 * `LETTERHEAD_HOME` of the person's own environment holds both, else they follow the platform: the XDG folders on
 * Linux. Refuses a relative `LETTERHEAD_HOME`: it would mean another folder in each project.
 */
import { ConfigError, DocumentUnreadable } from "@letterhead/core/server/ConfigError"
import type { Environment } from "@letterhead/core/server/Environment"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as UserDirectories from "effect/persistence/UserDirectories"
import { homedir } from "node:os"
import { isAbsolute, join } from "node:path"

/** The name of our folder within those of the platform. */
const NAME = "letterhead"
/** The folder of the state within LETTERHEAD_HOME; configuration lies at its top. */
const STATE = "state"
/** The folder of the secrets, within LETTERHEAD_HOME or our folder for data. */
const CREDENTIALS = "credentials"

export interface Directories {
  /** The person's home folder. */
  readonly home: string
  /** Holds `letterhead.json` and its like. */
  readonly config: string
  /** Holds the trust store. */
  readonly state: string
  /** Holds the secrets that no keychain keeps. */
  readonly credentials: string
  /** Holds what an administrator wrote for everybody on this machine. */
  readonly managed: string
}

export const resolve = Effect.fnUntraced(function* (
  environment: Environment
): Effect.fn.Return<Directories, ConfigError> {
  const home = environment["HOME"] || environment["USERPROFILE"] || homedir()
  const own = environment["LETTERHEAD_HOME"]
  const managed = managedDirectory(environment)
  if (own) {
    if (!isAbsolute(own)) {
      return yield* unreadable(own, "LETTERHEAD_HOME is a relative path; name the folder absolutely")
    }
    return { home, config: own, state: join(own, STATE), credentials: join(own, CREDENTIALS), managed }
  }
  const directories = UserDirectories.make()
  return yield* Effect.all({
    home: Effect.succeed(home),
    config: directories.config(NAME),
    state: directories.state(NAME),
    credentials: Effect.map(directories.data(NAME), (data) => join(data, CREDENTIALS)),
    managed: Effect.succeed(managed)
  }).pipe(
    Effect.provideService(
      ConfigProvider.ConfigProvider,
      ConfigProvider.fromEnv({ env: definedOnly({ ...environment, HOME: home }) })
    ),
    Effect.mapError(() =>
      unreadable("~", "the home folder is not known; set HOME, or LETTERHEAD_HOME to an absolute path")
    )
  )
})

/** The system's folder for configuration. Not the person's own to choose: it is trusted, and it wins. */
const managedDirectory = (environment: Environment): string => {
  switch (process.platform) {
    case "darwin":
      return `/Library/Application Support/${NAME}`
    case "win32":
      return join(environment["ProgramData"] || "C:\\ProgramData", NAME)
    default:
      return `/etc/${NAME}`
  }
}

const unreadable = (path: string, description: string) =>
  new ConfigError({ reason: new DocumentUnreadable({ path, description }) })

const definedOnly = (environment: Environment): Record<string, string> =>
  Object.fromEntries(
    Object.entries(environment).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]))
  )
