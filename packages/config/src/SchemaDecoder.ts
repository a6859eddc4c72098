/**
 * Decodes a part of a document with a Schema, and says what is wrong with it by place.
 *
 * The sentence is the `expected` annotation of the outermost schema at that place, so a schema for documents annotates
 * every field. The value found is never part of the message: it may be a secret.
 */
import { ValueInvalid } from "@letterhead/core/server/ConfigError"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as SchemaAST from "effect/SchemaAST"
import type * as SchemaIssue from "effect/SchemaIssue"
import type { Document, DocumentPath } from "./Document.ts"

/** A decoder of what stands at a path. Of several defects the first in the document is named. */
export const make = <S extends Schema.ConstraintDecoder<unknown>>(schema: S) => {
  const decode = Schema.decodeUnknownResult(schema, { errors: "all" })
  return (document: Document, path: DocumentPath): Result.Result<S["Type"], ValueInvalid> =>
    Result.mapError(decode(document.value(path)), (error) => {
      const problems = flatten(error.issue, path, undefined)
      const first = problems.map((problem) => invalid(document, problem)).toSorted(byPlace)[0]
      return first ?? new ValueInvalid({ place: document.place(path), expected: UNNAMED })
    })
}

interface Problem {
  readonly path: DocumentPath
  readonly expected: string
}

const UNNAMED = "another value"

const flatten = (
  issue: SchemaIssue.Issue,
  path: DocumentPath,
  expected: string | undefined
): ReadonlyArray<Problem> => {
  switch (issue._tag) {
    case "Pointer":
      return flatten(
        issue.issue,
        [...path, ...issue.path.map((step) => (typeof step === "number" ? step : String(step)))],
        undefined
      )
    case "Filter":
      return flatten(issue.issue, path, expected ?? annotated(issue.filter.annotations))
    case "Encoding":
      return flatten(issue.issue, path, expected ?? expectedOf(issue.ast))
    case "Composite":
    case "AnyOf": {
      const outer = expected ?? expectedOf(issue.ast)
      return issue.issues.length === 0
        ? [{ path, expected: outer ?? UNNAMED }]
        : issue.issues.flatMap((inner) => flatten(inner, path, outer))
    }
    case "InvalidType":
      return [{ path, expected: expected ?? expectedOf(issue.ast) ?? UNNAMED }]
    case "MissingKey":
      return [{ path: path.slice(0, -1), expected: `the key "${String(path.at(-1))}"` }]
    case "InvalidValue":
      // The sentence of a check of ours; nothing else makes a message here.
      return [{ path, expected: expected ?? sentence(issue.annotations?.message) ?? UNNAMED }]
    default:
      return [{ path, expected: expected ?? UNNAMED }]
  }
}

const expectedOf = (ast: SchemaAST.AST): string | undefined =>
  annotated(ast.checks === undefined ? ast.annotations : ast.checks.at(-1)?.annotations)

const annotated = (annotations: { readonly expected?: unknown } | undefined): string | undefined =>
  sentence(annotations?.expected)

const sentence = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined)

const invalid = (document: Document, problem: Problem): ValueInvalid => {
  const node = document.node(problem.path)
  const bare = node?.kind === "scalar" && (typeof node.value === "number" || typeof node.value === "boolean")
  return new ValueInvalid({
    place: document.place(problem.path),
    expected: problem.expected,
    ...(bare && problem.expected.startsWith("a string") ? { remedy: "put it in double quotes" } : {})
  })
}

const byPlace = (a: ValueInvalid, b: ValueInvalid): number =>
  (a.place.line ?? 0) - (b.place.line ?? 0) || (a.place.column ?? 0) - (b.place.column ?? 0)
