/**
 * All dialects, and which of them a document is written in: by the name of its file, else by what it looks like. To add
 * a dialect is a file in `dialects/` and a line here.
 */
import { ValueInvalid } from "@letterhead/core/server/ConfigError"
import * as Result from "effect/Result"
import type { Dialect } from "./Dialect.ts"
import type { Document } from "./Document.ts"
import { archestra } from "./dialects/archestra.ts"
import { claudeCode, claudeCodeUser } from "./dialects/claudeCode.ts"
import { native } from "./dialects/native.ts"
import { openCode, openCodeWellKnown } from "./dialects/openCode.ts"
import { openHarness } from "./dialects/openHarness.ts"
import { toolHive } from "./dialects/toolHive.ts"

export const all: ReadonlyArray<Dialect> = [
  native,
  claudeCode,
  claudeCodeUser,
  openCode,
  openCodeWellKnown,
  openHarness,
  toolHive,
  archestra
]

/** Those that are looked for in the folders of a project, in the order they count in each. */
export const ofProjects: ReadonlyArray<Dialect> = [native, claudeCode, openCode, openHarness]

/**
 * The dialect of a document: the one whose file has that name, else the one most marks of which it has, else the native.
 *
 * `name` is a path or the path of a URL, with slashes. Fails where two dialects are as likely as each other.
 */
export const recognise = (name: string, document: Document): Result.Result<Dialect, ValueInvalid> => {
  const named = all.find(({ fileNames }) => fileNames.some((file) => `/${name}`.endsWith(`/${file}`)))
  if (named !== undefined) return Result.succeed(named)
  const found = all
    .map((dialect) => ({ dialect, marks: dialect.marks(document) }))
    .filter(({ marks }) => marks.length > 0)
    .toSorted((a, b) => b.marks.length - a.marks.length)
  const [first, second] = found
  if (first === undefined) return Result.succeed(native)
  if (first.marks.length !== second?.marks.length) return Result.succeed(first.dialect)
  const likely = found.filter(({ marks }) => marks.length === first.marks.length)
  return Result.fail(
    new ValueInvalid({
      place: document.place([]),
      expected:
        "a document in one dialect; found " +
        likely.map(({ dialect, marks }) => `${marks.join(" and ")} (${dialect.title})`).join(", "),
      remedy: "remove what is not meant, or name the file as its program does"
    })
  )
}
