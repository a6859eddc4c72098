/**
 * Warns of keys that mean nothing, with the key that was probably meant, and of grants that a project file cannot give.
 *
 * Trust comes from the person and never from a file that came with somebody else's (design rule 7): keys such as
 * `trust` or `autoApprove` in a project or remote file are ignored, and said to be.
 */
import type { ConfigWarning } from "@letterhead/core/server/McpConfig"
import { needsApproval, type Origin } from "@letterhead/core/server/ServerEntry"
import { type Document, type DocumentPath, showKey } from "./Document.ts"

/** Stands for every key that is not named, and for the items of a list. */
export const ANY_KEY = "*"

/** The keys of an object, and of the objects under them. */
export interface KnownKeys {
  readonly [key: string]: KnownKeys | true
}

export const warnings = (
  document: Document,
  path: DocumentPath,
  known: KnownKeys,
  origin: Origin
): ReadonlyArray<ConfigWarning> =>
  steps(document, path).flatMap((key) => {
    const inner = [...path, key]
    const below = Object.hasOwn(known, key) ? known[key] : known[ANY_KEY]
    if (below === true) return []
    if (below !== undefined) return warnings(document, inner, below, origin)
    return [{ place: document.place(inner, "key"), message: describe(String(key), Object.keys(known), origin) }]
  })

const steps = (document: Document, path: DocumentPath): ReadonlyArray<string | number> => {
  const node = document.node(path)
  return node?.kind === "list" ? node.items.map((_, index) => index) : document.keys(path)
}

const describe = (key: string, known: ReadonlyArray<string>, origin: Origin): string => {
  if (needsApproval(origin) && GRANTS.has(fold(key))) {
    return (
      `${showKey(key)} is ignored: a ${origin.scope} file can never grant trust; ` +
      "approve what it runs with `letterhead trust approve`"
    )
  }
  const meant = nearest(key, known)
  return meant === undefined
    ? `unknown key ${showKey(key)} is ignored; remove it`
    : `unknown key ${showKey(key)} is ignored; did you mean "${meant}"?`
}

/** Keys by which some client or other takes a grant, without case and punctuation. */
const GRANTS: ReadonlySet<string> = new Set([
  "allow",
  "allowed",
  "allowlist",
  "alwaysallow",
  "approval",
  "approve",
  "approved",
  "autoallow",
  "autoapprove",
  "autoapproved",
  "autotrust",
  "enableallprojectmcpservers",
  "enabledmcpjsonservers",
  "permissions",
  "skipapproval",
  "skiptrust",
  "trust",
  "trusted",
  "trustedservers"
])

/** Changes of one character that still count as a slip. */
const SLIP_LIMIT = 2

const fold = (key: string): string => key.toLowerCase().replace(/[^a-z0-9]/g, "")

const nearest = (key: string, known: ReadonlyArray<string>): string | undefined => {
  const same = known.find((candidate) => fold(candidate) === fold(key))
  if (same !== undefined) return same
  const close = known
    .map((candidate) => ({ candidate, distance: editDistance(fold(key), fold(candidate)) }))
    .filter(({ candidate, distance }) => distance <= SLIP_LIMIT && distance * 2 < candidate.length)
    .toSorted((a, b) => a.distance - b.distance)
  return close[0]?.candidate
}

/** Levenshtein's distance; anything longer than a key could be counts as far away. */
const editDistance = (a: string, b: string): number => {
  if (Math.abs(a.length - b.length) > SLIP_LIMIT) return SLIP_LIMIT + 1
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}
