/**
 * A configuration document as a tree that knows where each thing was written.
 *
 * JSON, YAML and values from code become the same tree, so that dialects read one shape and every error can name a
 * place. A tree never holds more than {@link NODE_LIMIT} nodes or {@link DEPTH_LIMIT} levels, and no key of it reaches
 * a prototype. Keys written twice are kept as `duplicates`: which server they concern is for the dialect to say.
 */
import type { Place } from "@letterhead/core/server/ServerEntry"

/** Levels of objects and lists within each other. */
export const DEPTH_LIMIT = 64
/** Nodes of one document, each use of a YAML alias counted in full. */
export const NODE_LIMIT = 500_000

export type DocumentPath = ReadonlyArray<string | number>

export type DocumentNode =
  | { readonly kind: "object"; readonly offset: number; readonly members: ReadonlyMap<string, DocumentMember> }
  | { readonly kind: "list"; readonly offset: number; readonly items: ReadonlyArray<DocumentNode> }
  | { readonly kind: "scalar"; readonly offset: number; readonly value: unknown }

export interface DocumentMember {
  readonly keyOffset: number
  readonly node: DocumentNode
}

/** A key that the same object already has. */
export interface DuplicateKey {
  readonly path: DocumentPath
  readonly offset: number
}

export class Document {
  /** Absolute path of the file; for values from code, what the caller calls itself. */
  readonly file: string
  readonly root: DocumentNode
  readonly duplicates: ReadonlyArray<DuplicateKey>
  readonly #text: string | undefined

  /** `text` is absent for values from code, which have no lines. */
  constructor(parts: {
    readonly file: string
    readonly root: DocumentNode
    readonly duplicates: ReadonlyArray<DuplicateKey>
    readonly text?: string
  }) {
    this.file = parts.file
    this.root = parts.root
    this.duplicates = parts.duplicates
    this.#text = parts.text
  }

  /** What stands at `path`, or `undefined`. */
  node(path: DocumentPath): DocumentNode | undefined {
    let node: DocumentNode | undefined = this.root
    for (const step of path) {
      node = child(node, step)?.node
      if (node === undefined) return undefined
    }
    return node
  }

  /** The keys of the object at `path`, in the order they were written; none where there is no object. */
  keys(path: DocumentPath): ReadonlyArray<string> {
    const node = this.node(path)
    return node?.kind === "object" ? [...node.members.keys()] : []
  }

  /** What stands at `path` as plain data; its objects have no prototype. */
  value(path: DocumentPath): unknown {
    const node = this.node(path)
    return node === undefined ? undefined : toValue(node)
  }

  /**
   * The place of what stands at `path`: of the value, or of the key it stands under. For something that is not there,
   * the line and column are those of the innermost thing around it.
   */
  place(path: DocumentPath, of: "key" | "value" = "value"): Place {
    let offset = this.root.offset
    let node: DocumentNode | undefined = this.root
    for (const [index, step] of path.entries()) {
      const member = child(node, step)
      if (member === undefined) break
      offset = of === "key" && index === path.length - 1 ? member.keyOffset : member.node.offset
      node = member.node
    }
    return this.placeAt(offset, path)
  }

  /** The place of an offset into the text. */
  placeAt(offset: number, path: DocumentPath = []): Place {
    return {
      file: this.file,
      ...(this.#text === undefined ? {} : position(this.#text, offset)),
      ...(path.length === 0 ? {} : { path: formatPath(path) })
    }
  }
}

/** Line and column of an offset, both from 1; columns count UTF-16 units, as editors do. */
export const position = (text: string, offset: number): { readonly line: number; readonly column: number } => {
  let line = 1
  let lineStart = 0
  for (let index = text.indexOf("\n"); index !== -1 && index < offset; index = text.indexOf("\n", index + 1)) {
    line += 1
    lineStart = index + 1
  }
  return { line, column: Math.min(offset, text.length) - lineStart + 1 }
}

/** `mcpServers.linear.args[0]`; a key that is no plain word is written in brackets and quotes. */
export const formatPath = (path: DocumentPath): string =>
  path
    .map((step, index) => {
      if (typeof step === "number") return `[${step}]`
      if (!PLAIN_KEY.test(step)) return `[${showKey(step)}]`
      return index === 0 ? step : `.${step}`
    })
    .join("")

/** A key as a message shows it: quoted, of bounded length, and unable to disturb a terminal. */
export const showKey = (key: string): string => {
  const shown = key.length > SHOWN_KEY_LIMIT ? `${key.slice(0, SHOWN_KEY_LIMIT)}…` : key
  return JSON.stringify(shown).replace(UNPRINTABLE, (character) => {
    const code = (character.codePointAt(0) ?? 0).toString(16)
    return `\\u${code.padStart(4, "0")}`
  })
}

/** Whether a text would disturb the terminal it is shown on: control characters, changes of direction, line breaks. */
export const isUnprintable = (text: string): boolean => text.search(UNPRINTABLE) !== -1

/** Why a tree cannot be built: where, and a sentence with a remedy. */
export class TreeDefect {
  readonly offset: number
  readonly description: string
  constructor(offset: number, description: string) {
    this.offset = offset
    this.description = description
  }
}

/** Builds the tree of one document, within the limits; what it throws is a {@link TreeDefect}. */
export class TreeBuilder {
  readonly duplicates: Array<DuplicateKey> = []
  #nodes = 0
  readonly #path: Array<string | number> = []

  scalar(offset: number, value: unknown): DocumentNode {
    this.#count(offset)
    return { kind: "scalar", offset, value }
  }

  list<A>(offset: number, items: Iterable<A>, build: (item: A) => DocumentNode): DocumentNode {
    this.#count(offset)
    const built: Array<DocumentNode> = []
    for (const item of items) built.push(this.#within(built.length, offset, () => build(item)))
    return { kind: "list", offset, items: built }
  }

  object<A>(
    offset: number,
    members: Iterable<A>,
    key: (member: A) => { readonly name: string; readonly offset: number },
    build: (member: A) => DocumentNode
  ): DocumentNode {
    this.#count(offset)
    const built = new Map<string, DocumentMember>()
    for (const member of members) {
      const { name, offset: keyOffset } = key(member)
      if (built.has(name)) this.duplicates.push({ path: [...this.#path, name], offset: keyOffset })
      built.set(name, { keyOffset, node: this.#within(name, keyOffset, () => build(member)) })
    }
    return { kind: "object", offset, members: built }
  }

  #within(step: string | number, offset: number, build: () => DocumentNode): DocumentNode {
    if (this.#path.length >= DEPTH_LIMIT) throw new TreeDefect(offset, TOO_DEEP)
    this.#path.push(step)
    const node = build()
    this.#path.pop()
    return node
  }

  #count(offset: number): void {
    this.#nodes += 1
    if (this.#nodes > NODE_LIMIT) {
      throw new TreeDefect(offset, `more than ${NODE_LIMIT} values, aliases counted in full; make the document smaller`)
    }
  }
}

export const TOO_DEEP = `nested deeper than ${DEPTH_LIMIT} levels; make the document flatter`

const PLAIN_KEY = /^[A-Za-z0-9_$-]+$/
const SHOWN_KEY_LIMIT = 64
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu

const child = (node: DocumentNode | undefined, step: string | number): DocumentMember | undefined => {
  if (node?.kind === "object") return node.members.get(String(step))
  if (node?.kind !== "list" || typeof step !== "number") return undefined
  const item = node.items[step]
  return item === undefined ? undefined : { keyOffset: item.offset, node: item }
}

const toValue = (node: DocumentNode): unknown => {
  if (node.kind === "scalar") return node.value
  if (node.kind === "list") return node.items.map(toValue)
  // Without a prototype, a key such as __proto__ is a key like any other.
  const value: Record<string, unknown> = Object.create(null)
  for (const [key, member] of node.members) value[key] = toValue(member.node)
  return value
}
