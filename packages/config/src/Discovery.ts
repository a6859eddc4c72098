/**
 * Where configuration is looked for, and what each place is worth: a list of candidates in order of precedence, fixed
 * before anything in them is read.
 *
 * 1. `managed`: the administrator's folder. 2. `user`: what `claude mcp add` wrote for this project into
 * `~/.claude.json`. 3. `project`: from the working directory up to the repository root, nearest first; in each folder
 * `letterhead.*`, then `.mcp.json`, `opencode.json(c)`, `.oh/config.local.yaml`, `.oh/config.yaml`. Where there is no
 * repository, the working directory alone. 4. `user`: the person's own `letterhead.*`, then `~/.claude.json`, then
 * OpenCode's `opencode.json(c)` in the folder where programs keep their configuration.
 */
import type { Origin } from "@letterhead/core/server/ServerEntry"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"
import type { Dialect } from "./Dialect.ts"
import * as Dialects from "./Dialects.ts"
import type { DocumentPath } from "./Document.ts"
import { claudeCodeUser, projectServers } from "./dialects/claudeCode.ts"
import { native } from "./dialects/native.ts"
import { openCode } from "./dialects/openCode.ts"
import { SIZE_LIMIT } from "./DocumentReader.ts"

/** Bytes of `~/.claude.json`, in which Claude Code keeps its history as well. */
const CLAUDE_CODE_USER_SIZE_LIMIT = 16 * 1024 * 1024

/** Folders between the working directory and the repository root. */
export const FOLDER_LIMIT = 64

export interface DiscoverOptions {
  /** Absolute path of the working directory. */
  readonly cwd: string
  /** Absolute path of the person's home folder. */
  readonly home: string
  /** Absolute path of the folder that holds the person's own `letterhead.*`. */
  readonly configDirectory: string
  /** Absolute path of the folder under which programs keep their configuration. Default: `.config` in the home folder. */
  readonly programsDirectory?: string
  /** Absolute path of the folder that holds the administrator's. Default: none. */
  readonly managedDirectory?: string
}

/** A document that may be there. */
export interface Candidate {
  readonly origin: Origin
  readonly dialect: Dialect
  readonly sizeLimit: number
  readonly serversAt?: DocumentPath
}

export const candidates = Effect.fnUntraced(function* (
  options: DiscoverOptions
): Effect.fn.Return<ReadonlyArray<Candidate>, never, FileSystem.FileSystem | Path.Path> {
  const path = yield* Path.Path
  const inFolder = (folder: string, origin: Pick<Origin, "scope" | "workspace">, dialects: ReadonlyArray<Dialect>) =>
    dialects.flatMap((dialect) =>
      dialect.fileNames.map((name) => {
        const source = path.join(folder, name)
        return { origin: { ...origin, source, directory: path.dirname(source) }, dialect, sizeLimit: SIZE_LIMIT }
      })
    )
  const claudeCodeFile = inFolder(path.resolve(options.home), { scope: "user" }, [claudeCodeUser]).map((candidate) => ({
    ...candidate,
    sizeLimit: CLAUDE_CODE_USER_SIZE_LIMIT
  }))

  const managed =
    options.managedDirectory === undefined
      ? []
      : inFolder(path.resolve(options.managedDirectory), { scope: "managed" }, [native])
  const { folders, root } = yield* repository(path.resolve(options.cwd))
  const local = folders.flatMap((folder) =>
    claudeCodeFile.map((candidate) => ({ ...candidate, serversAt: projectServers(folder) }))
  )
  const project = folders.flatMap((folder) =>
    inFolder(folder, { scope: "project", workspace: root }, Dialects.ofProjects)
  )
  const programs = path.resolve(options.programsDirectory ?? path.join(options.home, ".config"))
  const user = [
    ...inFolder(path.resolve(options.configDirectory), { scope: "user" }, [native]),
    ...claudeCodeFile,
    ...inFolder(path.join(programs, "opencode"), { scope: "user" }, [openCode])
  ]

  // Where the person's own folder lies within a repository, its files are the person's all the same.
  const own = new Set([...managed, ...user].map((candidate) => candidate.origin.source))
  return [...managed, ...local, ...project.filter((candidate) => !own.has(candidate.origin.source)), ...user]
})

/**
 * The origin of a file that the person names; its `source` is what is to be read.
 *
 * Where a link in somebody's project leads to the person's own file, that file counts, with the folder it lies in: what
 * it names relatively is the person's too, and nobody can make the link lead elsewhere between this look and the reading.
 */
export const originOfFile = Effect.fnUntraced(function* (
  file: string,
  configDirectory: string
): Effect.fn.Return<Origin, never, FileSystem.FileSystem | Path.Path> {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const real = (name: string) => fs.realPath(name).pipe(Effect.orElseSucceed(() => name))
  const own = (source: string): Origin => ({ scope: "user", source, directory: path.dirname(source) })
  if (isWithin(path, configDirectory, file)) return own(file)
  const realFile = yield* real(file)
  if (isWithin(path, yield* real(configDirectory), realFile)) return own(realFile)
  const directory = path.dirname(file)
  return { scope: "project", source: file, directory, workspace: (yield* repository(directory)).root }
})

/** The folders from `start` up to the repository root, nearest first; `start` alone where there is no repository. */
const repository = Effect.fnUntraced(function* (
  start: string
): Effect.fn.Return<
  { readonly folders: ReadonlyArray<string>; readonly root: string },
  never,
  FileSystem.FileSystem | Path.Path
> {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const folders = [start]
  for (let folder = start; path.dirname(folder) !== folder && folders.length < FOLDER_LIMIT;) {
    folder = path.dirname(folder)
    folders.push(folder)
  }
  // A folder in a clone, a file in a worktree or submodule. All are looked at together: a look costs more than a file.
  const isRoot = yield* Effect.forEach(
    folders,
    (folder) => fs.exists(path.join(folder, ".git")).pipe(Effect.orElseSucceed(() => false)),
    { concurrency: "unbounded" }
  )
  const root = folders[isRoot.indexOf(true)]
  if (root !== undefined) return { folders: folders.slice(0, isRoot.indexOf(true) + 1), root }
  return { folders: [start], root: start }
})

const isWithin = (path: Path.Path, folder: string, file: string): boolean => {
  const relative = path.relative(folder, file)
  return relative !== "" && relative !== ".." && !relative.startsWith(`..${path.sep}`) && !path.isAbsolute(relative)
}
