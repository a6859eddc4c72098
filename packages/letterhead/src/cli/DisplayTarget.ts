/** What a server entry points to, without what may be secret in it: credentials and query values of a URL. */
import type { ServerEntry } from "@letterhead/core/server/ServerEntry"
import { printableLine } from "./Printable.ts"

export const transportOf = (entry: ServerEntry): "http" | "sse" | "auto" | "stdio" =>
  entry.endpoint.type === "stdio" ? "stdio" : entry.endpoint.transport

/** The URL as it was written, variables unexpanded; of a program, its name. */
export const displayTarget = (entry: ServerEntry): string =>
  printableLine(entry.endpoint.type === "stdio" ? entry.endpoint.command : maskUrl(entry.endpoint.url.source))

/** Works on text, since a URL with a variable in it is not a URL yet. */
const maskUrl = (source: string): string =>
  source.replace(/^([a-z+.-]+:\/\/)[^/?#@]*@/i, "$1REDACTED@").replace(/([?&][^=&#]*=)[^&#]*/g, "$1REDACTED")
