/**
 * Reads YAML 1.2 into a {@link Document}: one document, keys that are text, no tags, aliases up to {@link ALIAS_LIMIT}.
 *
 * A merge key (`<<`) is a key like any other, as YAML 1.2 has it. What is wrong is said in words of ours, since the
 * parser's own message may quote the text.
 */
import { DocumentMalformed } from "@letterhead/core/server/ConfigError"
import * as Result from "effect/Result"
import { type Document as ParsedDocument, type ErrorCode, isAlias, isMap, isScalar, isSeq, parseDocument } from "yaml"
import { Document, type DocumentNode, position, TOO_DEEP, TreeBuilder, TreeDefect } from "./Document.ts"

/** Uses of aliases in one document, those within what an alias stands for counted each time. */
export const ALIAS_LIMIT = 100

export const parse = (file: string, text: string): Result.Result<Document, DocumentMalformed> => {
  const malformed = (offset: number, description: string) =>
    Result.fail(new DocumentMalformed({ place: { file, ...position(text, offset) }, description }))

  const parsed = parseDocument(text, {
    prettyErrors: false,
    stringKeys: true,
    // Found while building the tree, so that a key written twice costs one server and not the file.
    uniqueKeys: false,
    resolveKnownTags: false,
    logLevel: "error"
  })
  const defect = parsed.errors[0] ?? parsed.warnings[0]
  if (defect !== undefined) {
    return malformed(
      defect.pos[0],
      `not valid YAML: ${SENTENCES[defect.code] ?? "the text is broken here; correct it"}`
    )
  }
  if (parsed.contents === null) return malformed(0, `the file is empty; write "mcpServers: {}"`)
  const builder = new TreeBuilder()
  try {
    const root = build({ parsed, builder, aliases: 0 }, parsed.contents, 0)
    return Result.succeed(new Document({ file, text, root, duplicates: builder.duplicates }))
  } catch (error) {
    if (error instanceof TreeDefect) return malformed(error.offset, error.description)
    throw error
  }
}

const SENTENCES: Partial<Record<ErrorCode, string>> = {
  BAD_ALIAS: "an alias (*name) is not written correctly; correct it",
  BAD_DIRECTIVE: `a directive ("%…") is not known; remove it`,
  BAD_DQ_ESCAPE: `a "\\" in double quotes is followed by a character that cannot follow it; use single quotes`,
  BAD_INDENT: "the indentation does not fit what stands above; align it with spaces",
  BAD_SCALAR_START: "a text cannot start with this character; put it in quotes",
  BLOCK_AS_IMPLICIT_KEY: "a key and its value do not fit here; put the value on a line of its own, or in quotes",
  BLOCK_IN_FLOW: "a block does not fit into [ ] or { }; write it in the same style",
  BAD_COLLECTION_TYPE: "a tag does not fit its value; remove the tag",
  KEY_OVER_1024_CHARS: "a key has more than 1,024 characters; shorten it",
  MISSING_CHAR: "a closing quote, bracket or brace, or a comma is missing; add it",
  MULTILINE_IMPLICIT_KEY: `a key goes over several lines, or ":" is missing after it; write "key: value"`,
  MULTIPLE_DOCS: `a second document starts here; keep one, without "---" or "..." between`,
  NON_STRING_KEY: "a key is not text; write a plain or quoted word",
  RESOURCE_EXHAUSTION: TOO_DEEP,
  TAB_AS_INDENT: "a tab is used for indentation; use spaces",
  TAG_RESOLVE_FAILED: "a tag (!…) is not supported; remove it, or put the text in quotes",
  UNEXPECTED_TOKEN: "this does not fit what stands before it; check quotes, colons and indentation"
}

interface Building {
  readonly parsed: ParsedDocument
  readonly builder: TreeBuilder
  aliases: number
}

const build = (building: Building, node: unknown, around: number): DocumentNode => {
  const { builder } = building
  if (isAlias(node)) {
    const offset = node.range?.[0] ?? around
    building.aliases += 1
    if (building.aliases > ALIAS_LIMIT) {
      throw new TreeDefect(offset, `more than ${ALIAS_LIMIT} uses of aliases (*name); write some of them out`)
    }
    const target = node.resolve(building.parsed)
    if (target === undefined) {
      throw new TreeDefect(offset, "an alias (*name) stands for an anchor (&name) that is not above it; add the anchor")
    }
    return { ...build(building, target, offset), offset }
  }
  if (isMap(node)) {
    return builder.object(
      node.range?.[0] ?? around,
      node.items,
      (pair) => ({
        name: isScalar(pair.key) ? String(pair.key.value) : "",
        offset: offsetOf(pair.key) ?? around
      }),
      (pair) => build(building, pair.value, offsetOf(pair.key) ?? around)
    )
  }
  if (isSeq(node)) {
    const offset = node.range?.[0] ?? around
    return builder.list(offset, node.items, (item) => build(building, item, offset))
  }
  return builder.scalar(offsetOf(node) ?? around, isScalar(node) ? node.value : null)
}

const offsetOf = (node: unknown): number | undefined =>
  isScalar(node) || isMap(node) || isSeq(node) || isAlias(node) ? node.range?.[0] : undefined
