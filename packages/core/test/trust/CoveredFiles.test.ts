/** How the words of a command are found, over what people may write. */
import { assert, describe, it } from "@effect/vitest"
import { wordsOfArguments, wordsOfShell } from "@letterhead/core/trust/CoveredFiles"
import * as Schema from "effect/Schema"

const RUNS = { arbitrary: { runs: 2_000 } } as const

const Letter = Schema.Literals("ab/.-_ =\"'\\$;|&()<>`*{}\n\té".split(""))
const Word = Schema.Array(Letter)
/** One of the ways in which a shell takes a word as it is. */
const Quoting = Schema.Literals(["single", "double", "backslash"])

const quoted = (word: string, quoting: typeof Quoting.Type): string => {
  if (quoting === "single") return `'${word.replaceAll("'", `'\\''`)}'`
  if (quoting === "double") return `"${word}"`
  return word.replaceAll(/[^a-z/]/g, String.raw`\$&`)
}

describe("the words of a command", () => {
  it.prop(
    "a path that is quoted in any of the shell's ways is among the words of a shell string",
    { words: Schema.Array(Schema.Struct({ letters: Word, quoting: Quoting })) },
    ({ words }) => {
      const written = words
        // What a backslash would have to stand before within double quotes is left to the other two ways.
        .map(({ letters, quoting }) => ({ word: letters.join(""), quoting }))
        .filter(({ word, quoting }) => word !== "" && (quoting !== "double" || !/[\\"$`]/.test(word)))
      const found = new Set(wordsOfShell(written.map(({ word, quoting }) => quoted(word, quoting)).join(" && ")))
      for (const { word } of written) assert.isTrue(found.has(word), `${JSON.stringify(word)} of ${[...found].join()}`)
    },
    RUNS
  )

  it.prop(
    "an argument, what follows its first equals sign, and each plain path in it are among the words of arguments",
    { argument: Word, option: Schema.Literals(["--file", "-x", "a"]) },
    ({ argument, option }) => {
      const path = argument.join("")
      const found = wordsOfArguments([path, `${option}=${path}`, `sh -c 'cat ./plain/path'`])
      for (const word of [path, `${option}=${path}`, path, "./plain/path"]) assert.include(found, word)
    },
    RUNS
  )

  it.prop(
    "no text is too strange, and no word is empty",
    { text: Schema.String, letters: Word },
    ({ letters, text }) => {
      for (const shell of [text, letters.join("")]) assert.notInclude(wordsOfShell(shell), "")
    },
    RUNS
  )
})
