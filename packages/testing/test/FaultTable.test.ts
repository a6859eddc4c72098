/**
 * FAULTS.md and the names of the tests agree: a row lists exactly the files with a test that is named after it, and a
 * row without any says why.
 */
import { assert, describe, it } from "@effect/vitest"
import { globSync, readFileSync } from "node:fs"
import { join, resolve, sep } from "node:path"

const ROOT = resolve(import.meta.dirname, "../../..")
const TABLE = "FAULTS.md"
/** Test files, and the suites that several of them run. */
const TESTS = ["packages/*/test/**/*.test.ts", "packages/testing/src/laws/*.ts"]
/** Rows, numbered from 1. */
const ROWS = 85

interface Row {
  readonly number: string
  readonly what: string
  readonly files: ReadonlyArray<string>
  /** What no test covers, and why. */
  readonly left: string
}

const rowsOf = (text: string): ReadonlyArray<Row> =>
  text
    .split("\n")
    .map((line) => line.split(/(?<!\\)\|/).map((cell) => cell.trim()))
    .flatMap(([, number = "", what = "", files = "", left = ""]) =>
      /^F\d+$/.test(number)
        ? [{ number, what, files: files === "—" ? [] : files.split("<br>").map((file) => file.slice(1, -1)), left }]
        : []
    )

/** One number, or several: `F3`, `F3, F4`, `F3 and F4`. */
const NUMBERS = String.raw`(F\d+(?:(?:, | and )F\d+)*)`
/** A title, or the part of one that an array holds, begins with the numbers; a group of tests may have no other name. */
const TITLES = [
  new RegExp(String.raw`["'\x60]${NUMBERS}:`, "g"),
  new RegExp(String.raw`\b(?:describe|it|test)\b[\w.]*(?:\([^()\n]*\))?\(\s*["'\x60]${NUMBERS}["'\x60]`, "g")
]

/** The numbers that the titles of a file name. */
const numbersIn = (source: string): ReadonlySet<string> =>
  new Set(
    TITLES.flatMap((title) => [...source.matchAll(title)].flatMap(([, numbers = ""]) => numbers.split(/, | and /)))
  )

const table = rowsOf(readFileSync(join(ROOT, TABLE), "utf8"))

const named = new Map(
  TESTS.flatMap((pattern) => globSync(pattern, { cwd: ROOT, exclude: (path) => path.includes("node_modules") }))
    .map((path) => path.split(sep).join("/"))
    .filter((path) => join(ROOT, path) !== import.meta.filename)
    .toSorted()
    .map((path) => [path, numbersIn(readFileSync(join(ROOT, path), "utf8"))])
)

describe("the table of faults", () => {
  it(`has a row for each number from F1 to F${ROWS}, in order, that says what goes wrong`, () => {
    assert.deepStrictEqual(
      table.map(({ number }) => number),
      Array.from({ length: ROWS }, (_, index) => `F${index + 1}`)
    )
    for (const { number, what } of table) assert.isNotEmpty(what, number)
  })

  it("lists for each row the files with a test that is named after it, and no others", () => {
    for (const { files, number } of table) {
      const expected = [...named].flatMap(([path, numbers]) => (numbers.has(number) ? [path] : []))
      assert.deepStrictEqual(files, expected, `row ${number} of ${TABLE}`)
    }
  })

  it("knows every number that a test is named after", () => {
    const numbers = new Set(table.map(({ number }) => number))
    for (const [path, found] of named) {
      for (const number of found) assert.isTrue(numbers.has(number), `${number} in ${path}`)
    }
  })

  it("says of each row that no test covers why", () => {
    for (const { files, left, number } of table) assert.isTrue(files.length > 0 || left !== "", number)
  })

  it("reads the numbers of titles in each way in which tests are written, and nothing else", () => {
    assert.deepStrictEqual(read('it("F3: a claim", () => {})'), ["F3"])
    assert.deepStrictEqual(read("it.live(\n  `F3, F4: ${what}`,\n"), ["F3", "F4"])
    assert.deepStrictEqual(read("it.live.skipIf(none)('F3 and F4: a claim')"), ["F3", "F4"])
    assert.deepStrictEqual(read('it.each([["F5: a"], ["F6: b"]])("%s")'), ["F5", "F6"])
    assert.deepStrictEqual(read('describe("F7", () => {})'), ["F7"])
    assert.deepStrictEqual(read('expect("F8", 1) // F9: as F10\nitem("F11")'), [])
  })
})

const read = (source: string): ReadonlyArray<string> => [...numbersIn(source)]
