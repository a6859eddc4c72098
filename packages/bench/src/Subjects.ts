/** All that is measured, in the order of the tables. */
import * as Name from "./Names.ts"
import type { Subject } from "./Subject.ts"

/** Loads a subject with all that it needs, and nothing else. */
export type LoadSubject = () => Promise<Subject>

const requests = () => import("./BareRequests.ts")
const older = () => import("./OlderClients.ts")
const current = () => import("./CurrentClients.ts")
const effect = () => import("./EffectClients.ts")
const olderWithLetterhead = () => import("./OlderWithLetterhead.ts")
const currentWithLetterhead = () => import("./CurrentWithLetterhead.ts")
const effectWithLetterhead = () => import("./EffectWithLetterhead.ts")
const connections = () => import("./LetterheadConnections.ts")
const staticFetch = async () => (await import("./StaticFetch.ts")).staticFetch

/**
 * Those that take turns with each other: few, so that none is idle for long, which would make it slow when it begins
 * again. By name, as the tables show it.
 */
export const groups: ReadonlyArray<ReadonlyMap<string, LoadSubject>> = [
  new Map<string, LoadSubject>([
    ["undici, by hand", async () => (await requests()).overUndici],
    ["global fetch, by hand", async () => (await requests()).overFetch]
  ]),
  new Map<string, LoadSubject>([
    [Name.OLDER, async () => (await older()).bare()],
    [Name.OLDER_UNDICI, async () => (await older()).bare(await staticFetch())],
    [Name.OLDER_OURS, async () => (await olderWithLetterhead()).ours],
    ["SDK v1 with Letterhead, no Effect", async () => (await olderWithLetterhead()).oursByOptions],
    [Name.NEW_PER_CALL, async () => (await older()).newPerCall]
  ]),
  new Map<string, LoadSubject>([
    [Name.CURRENT_LEGACY, async () => (await current()).bare("legacy")],
    [Name.CURRENT_LEGACY_UNDICI, async () => (await current()).bare("legacy", await staticFetch())],
    [Name.CURRENT_LEGACY_OURS, async () => (await currentWithLetterhead()).ours("legacy")]
  ]),
  new Map<string, LoadSubject>([
    [Name.CURRENT_MODERN, async () => (await current()).bare("modern")],
    [Name.CURRENT_MODERN_UNDICI, async () => (await current()).bare("modern", await staticFetch())],
    [Name.CURRENT_MODERN_OURS, async () => (await currentWithLetterhead()).ours("modern")],
    ["SDK v2, modern, with Letterhead, no Effect", async () => (await currentWithLetterhead()).oursByOptions("modern")]
  ]),
  new Map<string, LoadSubject>([
    [Name.EFFECT, async () => (await effect()).overFetch("legacy")],
    ["Effect's client over its undici client", async () => (await effect()).overUndici("legacy")],
    [Name.EFFECT_UNDICI, async () => (await effect()).over("legacy", await staticFetch())],
    [Name.EFFECT_OURS, async () => (await effectWithLetterhead()).ours("legacy")]
  ]),
  new Map<string, LoadSubject>([
    [Name.CONNECT_LEGACY, async () => (await connections()).ours("legacy")],
    [Name.CONNECT_MODERN, async () => (await connections()).ours("modern")]
  ])
]

export const subjects: ReadonlyMap<string, LoadSubject> = new Map(groups.flatMap((group) => [...group]))
