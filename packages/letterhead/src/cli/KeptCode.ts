/**
 * What V8 compiled of the bundle's chunks, kept in one file between runs.
 *
 * Guarantees that a reader meets one whole file, of the person's own or none: it is flushed and then renamed, and one
 * that somebody else owns or can write is not read, since it decides what code runs. A file that cannot be read or
 * written costs time and nothing else. V8 refuses code of another version, of other flags and of another source's
 * length; that the source is the same otherwise too is for the name to say.
 */
import {
  closeSync,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync
} from "node:fs"
import { dirname } from "node:path"

/** Compiled code by what it was compiled from. */
export type KeptCode = ReadonlyMap<string, Uint8Array>

const FILE_MODE = 0o600
const DIRECTORY_MODE = 0o700
const WRITABLE_BY_OTHERS = 0o022
const LINE_FEED = 0x0a

/** What is kept in `file`; nothing where it does not exist, or is in no state to be used. */
export const read = (file: string): KeptCode => {
  try {
    return unpack(readOwn(file))
  } catch {
    return NOTHING
  }
}

/** Keeps `code` in `file`, in place of what was kept there. */
export const write = (file: string, code: KeptCode): void => {
  const temporary = `${file}.${process.pid}.tmp`
  try {
    makeFolder(dirname(file))
    try {
      writeFileSync(temporary, pack(code), { mode: FILE_MODE, flush: true })
      renameSync(temporary, file)
    } finally {
      rmSync(temporary, { force: true })
    }
  } catch {
    // The next run compiles again.
  }
}

/** One folder in the other: where none can be made at all, as in a procfs, Node's own way to do that never ends. */
const makeFolder = (folder: string): void => {
  if (existsSync(folder)) return
  makeFolder(dirname(folder))
  mkdirSync(folder, { mode: DIRECTORY_MODE })
}

const NOTHING: KeptCode = new Map()

const readOwn = (file: string): Buffer => {
  const descriptor = openSync(file, "r")
  try {
    const { mode, uid } = fstatSync(descriptor)
    // Windows has neither owners nor modes that say who may write a file.
    const account = process.geteuid?.()
    const isOwn = account === undefined || (uid === account && (mode & WRITABLE_BY_OTHERS) === 0)
    return isOwn ? readFileSync(descriptor) : Buffer.alloc(0)
  } finally {
    closeSync(descriptor)
  }
}

/** A line of JSON, `[[name, bytes], …]`, and all the code one after another. */
const pack = (code: KeptCode): Buffer => {
  const sizes = [...code].map(([name, bytes]) => [name, bytes.length])
  return Buffer.concat([Buffer.from(`${JSON.stringify(sizes)}\n`), ...code.values()])
}

const unpack = (packed: Buffer): KeptCode => {
  const end = packed.indexOf(LINE_FEED)
  const sizes: unknown = JSON.parse(packed.toString("utf8", 0, end))
  if (!isSizes(sizes)) return NOTHING
  const code = new Map<string, Uint8Array>()
  let offset = end + 1
  for (const [name, size] of sizes) code.set(name, packed.subarray(offset, (offset += size)))
  return offset === packed.length ? code : NOTHING
}

const isSizes = (value: unknown): value is ReadonlyArray<readonly [name: string, bytes: number]> =>
  Array.isArray(value) &&
  value.every((item) => Array.isArray(item) && typeof item[0] === "string" && typeof item[1] === "number")
