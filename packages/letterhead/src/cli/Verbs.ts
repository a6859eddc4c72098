/**
 * The verbs of the command, each loaded when it is named; `headers`, for which a person waits least, is there at once.
 *
 * A command line that starts with a verb means that verb, so the others need not be there; one that starts with a flag,
 * with nothing or with a word that is no verb gets all of them, for the help and for what was probably meant.
 */
import { headers } from "./commands/headers.ts"

const verbs = {
  demo: async () => (await import("./commands/demo.ts")).demo,
  servers: async () => (await import("./commands/servers.ts")).servers,
  tools: async () => (await import("./commands/tools.ts")).tools,
  call: async () => (await import("./commands/call.ts")).call,
  headers: async () => headers,
  login: async () => (await import("./commands/login.ts")).login,
  logout: async () => (await import("./commands/logout.ts")).logout,
  auth: async () => (await import("./commands/auth/auth.ts")).auth,
  credential: async () => (await import("./commands/credential/credential.ts")).credential,
  trust: async () => (await import("./commands/trust/trust.ts")).trust,
  config: async () => (await import("./commands/config/config.ts")).config
}

export type Verb = Awaited<ReturnType<(typeof verbs)[keyof typeof verbs]>>

/** The verbs that a command line can mean, in the order the help shows them. */
export const load = (args: ReadonlyArray<string>): Promise<ReadonlyArray<Verb>> => {
  const [first = ""] = args
  return Promise.all(isVerb(first) ? [verbs[first]()] : Object.values(verbs).map((verb) => verb()))
}

const isVerb = (word: string): word is keyof typeof verbs => Object.hasOwn(verbs, word)
