/**
 * Reads JSON into a {@link Document}: comments and trailing commas are accepted in `.json` as in `.jsonc`, because
 * people have them. What is wrong is said in words of ours, since a parser's own message may quote the text.
 */
import { DocumentMalformed } from "@letterhead/core/server/ConfigError"
import * as Result from "effect/Result"
import { type Node, type ParseError, parseTree, printParseErrorCode } from "jsonc-parser"
import { Document, type DocumentNode, position, TOO_DEEP, TreeBuilder, TreeDefect } from "./Document.ts"

export const parse = (file: string, text: string): Result.Result<Document, DocumentMalformed> => {
  const malformed = (offset: number, description: string) =>
    Result.fail(new DocumentMalformed({ place: { file, ...position(text, offset) }, description }))

  const errors: Array<ParseError> = []
  const builder = new TreeBuilder()
  try {
    const tree = parseTree(text, errors, { allowTrailingComma: true, allowEmptyContent: true })
    const first = errors[0]
    if (first !== undefined) {
      return malformed(first.offset, `not valid JSON: ${SENTENCES[printParseErrorCode(first.error)]}`)
    }
    if (tree === undefined) return malformed(0, `the file is empty; write { "mcpServers": {} }`)
    return Result.succeed(new Document({ file, text, root: build(builder, tree), duplicates: builder.duplicates }))
  } catch (error) {
    if (error instanceof TreeDefect) return malformed(error.offset, error.description)
    // The parser calls itself for each level.
    if (error instanceof RangeError) return malformed(0, TOO_DEEP)
    throw error
  }
}

const SENTENCES: Record<ReturnType<typeof printParseErrorCode>, string> = {
  InvalidSymbol: "a bare word that is not true, false or null; put text in double quotes",
  InvalidNumberFormat: "a number is not written as JSON has it; correct it, or put it in double quotes",
  PropertyNameExpected: "a key is missing here; write it in double quotes",
  ValueExpected: "a value is missing here; write one",
  ColonExpected: `":" is missing after a key; write "key": value`,
  CommaExpected: `"," is missing between this and what stands before it; add it`,
  CloseBraceExpected: `"}" is missing; close the object`,
  CloseBracketExpected: `"]" is missing; close the list`,
  EndOfFileExpected: "something stands after the end of the document; remove it",
  InvalidCommentToken: "a comment is not allowed here; remove it",
  UnexpectedEndOfComment: `a comment is not closed; end it with "*/"`,
  UnexpectedEndOfString: "a text is not closed on its line; end it with a double quote",
  UnexpectedEndOfNumber: "a number ends too early; complete it",
  InvalidUnicode: `"\\u" is not followed by four hexadecimal digits; correct it`,
  InvalidEscapeCharacter: `a "\\" is followed by a character that cannot follow it; write "\\\\" for a backslash`,
  InvalidCharacter: `a text contains a control character; write it as "\\t", "\\n" or "\\uXXXX"`,
  "<unknown ParseErrorCode>": "the text is broken here; correct it"
}

const build = (builder: TreeBuilder, node: Node): DocumentNode => {
  switch (node.type) {
    case "object":
      return builder.object(
        node.offset,
        node.children ?? [],
        (property) => ({ name: String(property.children?.[0]?.value), offset: property.offset }),
        (property) => {
          const value = property.children?.[1]
          return value === undefined ? builder.scalar(property.offset, null) : build(builder, value)
        }
      )
    case "array":
      return builder.list(node.offset, node.children ?? [], (item) => build(builder, item))
    default:
      return builder.scalar(node.offset, node.value)
  }
}
