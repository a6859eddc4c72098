/** Templates: reading them as properties, evaluating them with real files. */
import { appendFileSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { FileUnreadable, VariableMissing } from "@letterhead/core/headers/HeaderError"
import { setField } from "@letterhead/core/headers/HeaderPatch"
import { Environment } from "@letterhead/core/server/Environment"
import * as Template from "@letterhead/core/server/Template"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { execute, temporaryDirectory } from "../trust/Workspace.ts"

const RUNS = { arbitrary: { runs: 2_000 } } as const
const place = { file: "/letterhead.json" }

const evaluated = (template: Template.Template, environment: Environment, directory?: string) =>
  Template.evaluate(template, {
    origin: { scope: "user", source: "/letterhead.json", ...(directory === undefined ? {} : { directory }) },
    place
  }).pipe(Effect.provideService(Environment, environment), Effect.provide(NodeServices.layer))

const valueOf = (source: string, environment: Environment, directory?: string) =>
  evaluated(Result.getOrThrow(Template.parse(source)), environment, directory)

const failureOf = (source: string, directory?: string, environment: Environment = {}) =>
  Effect.map(Effect.flip(valueOf(source, environment, directory)), (error) => {
    assert(error instanceof FileUnreadable, error.message)
    return error.description
  })

const text = Schema.Array(
  Schema.Literals([
    "$",
    "$$",
    "{",
    "}",
    "${",
    "{env:",
    "{file:",
    ":-",
    ":",
    "A",
    "_b1",
    " ",
    "é",
    "\n",
    "\r\n",
    "\0",
    "x.y",
    "-"
  ])
)
const plain = Schema.Array(Schema.Literals(["$", "{", "}", "env", "file", ":", "-", "A", " ", "é", "\n"]))
const variableName = Schema.Literals(["A", "_", "HOME_SECRET", "a1", "constructor", "__proto__", "toString"])

describe("parse", () => {
  it.prop(
    "never throws, keeps the source, and says what is wrong without quoting it",
    { text },
    ({ text }) => {
      const source = `canary${text.join("")}canary`
      const result = Template.parse(source)
      if (Result.isSuccess(result)) assert.strictEqual(result.success.source, source)
      else assert.notInclude(result.failure, "canary")
    },
    RUNS
  )

  it.effect.prop(
    "text whose dollar signs are doubled and whose braces begin nothing evaluates to itself",
    { plain },
    ({ plain }) =>
      Effect.gen(function* () {
        const wanted = plain.join("").replaceAll(/\{(?=env:|file:)/g, "(")
        const template = Result.getOrThrow(Template.parse(wanted.replaceAll("$", "$$$$")))
        assert.isFalse(Template.readsOutside(template))
        assert.deepStrictEqual(Template.missingVariables(template, {}), [])
        assert.strictEqual(yield* evaluated(template, {}), wanted)
      }),
    RUNS
  )

  it.effect.prop(
    "a variable, its default and the text around come out as the rules say",
    {
      name: variableName,
      form: Schema.Literals(["shell", "env", "default"]),
      value: Schema.UndefinedOr(Schema.Literals(["", "v", "${A}", "$$", "{file:/etc/passwd}"])),
      before: plain
    },
    ({ before, form, name, value }) =>
      Effect.gen(function* () {
        const around = before.join("").replaceAll(/\{(?=env:|file:)/g, "(")
        const written = { shell: `\${${name}}`, env: `{env:${name}}`, default: `\${${name}:-d$$d}` }[form]
        const template = Result.getOrThrow(Template.parse(around.replaceAll("$", "$$$$") + written))
        const environment: Environment = Object.fromEntries(value === undefined ? [] : [[name, value]])
        assert.isTrue(Template.readsOutside(template))
        const result = yield* Effect.result(evaluated(template, environment))
        // What a variable holds is never read as a template; an empty one counts as unset.
        const expected = value === undefined || value === "" ? (form === "default" ? "d$d" : undefined) : value
        assert.deepStrictEqual(Template.missingVariables(template, environment), expected === undefined ? [name] : [])
        if (expected === undefined) {
          assert(Result.isFailure(result) && result.failure instanceof VariableMissing)
          assert.strictEqual(result.failure.variable, name)
        } else {
          assert.strictEqual(Result.getOrThrow(result), around + expected)
        }
      }),
    RUNS
  )

  it.prop(
    "F79: a variable or file within another is refused",
    {
      outer: Schema.Literals(["${A:-", "${", "{env:", "{file:"]),
      inner: Schema.Literals(["${B}", "{env:B}", "{file:/b}"]),
      between: Schema.Array(Schema.Literals(["x", "/", " ", "$$", "-"]))
    },
    ({ between, inner, outer }) => {
      assert.isTrue(Result.isFailure(Template.parse(`${outer}${between.join("")}${inner}}`)))
    },
    RUNS
  )

  it("names what is not closed, names no variable or names no file", () => {
    for (const source of [
      "${A",
      "{env:A",
      "{file:a",
      "${}",
      "${:-d}",
      "${A B}",
      "${1A}",
      "{env:A:-d}",
      "{file:}",
      "{file: }"
    ]) {
      assert.isTrue(Result.isFailure(Template.parse(source)), source)
    }
  })

  it.effect("a dollar sign that begins nothing stays as it is", () =>
    Effect.gen(function* () {
      for (const source of ["$", "a$", "$A", "{A}", "{environment}", "$(id)", "`id`"]) {
        assert.strictEqual(yield* valueOf(source, { A: "no" }), source)
      }
    })
  )
})

describe("evaluate", () => {
  it.live("a file is read without its last line break, and only that", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      for (const [written, read] of [
        ["t", "t"],
        ["t\n", "t"],
        ["t\r\n", "t"],
        ["t\n\n", "t\n"],
        [" t ", " t "],
        ["${A}$$", "${A}$$"],
        ["", ""]
      ] as const) {
        writeFileSync(join(directory, "token"), written)
        assert.strictEqual(yield* valueOf("<{file:token}>", {}, directory), `<${read}>`)
        assert.strictEqual(yield* valueOf(`<{file:${directory}/token}>`, {}), `<${read}>`)
        assert.strictEqual(yield* valueOf("<{file:~/token}>", { HOME: directory }), `<${read}>`)
      }
    })
  )

  it.live("a link to a file is followed, as for secrets that are mounted", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      writeFileSync(join(directory, "real"), "t\n")
      symlinkSync(join(directory, "real"), join(directory, "token"))
      assert.strictEqual(yield* valueOf("{file:token}", {}, directory), "t")
    })
  )

  it.live("a file that is not there, a folder, a FIFO and a device are errors, and none of them blocks", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      mkdirSync(join(directory, "folder"))
      execute("mkfifo", [join(directory, "fifo")])
      assert.match(yield* failureOf("{file:missing}", directory), /does not exist/)
      for (const name of ["folder", "fifo", "/dev/zero"]) {
        assert.match(yield* failureOf(`{file:${name}}`, directory), /not a regular file/)
      }
      assert.match(yield* failureOf("{file:a\0b}", directory), /cannot be read/)
    })
  )

  it.live("a file of 64 KiB is read and one of a byte more is not, whatever size it claims", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const file = join(directory, "token")
      writeFileSync(file, "t".repeat(Template.FILE_LIMIT))
      assert.lengthOf(yield* valueOf("{file:token}", {}, directory), Template.FILE_LIMIT)
      appendFileSync(file, "t")
      assert.match(yield* failureOf("{file:token}", directory), /larger than 65536 bytes/)
      // Its size is 0, and there is more than the limit to read.
      if (existsSync("/proc/kallsyms")) assert.match(yield* failureOf("{file:/proc/kallsyms}"), /larger than/)
    })
  )

  it.live("a character that lies across two reads is whole", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const value = `t${"é".repeat(Template.FILE_LIMIT / 2 - 1)}`
      writeFileSync(join(directory, "token"), value)
      assert.strictEqual(yield* valueOf("{file:token}", {}, directory), value)
    })
  )

  it.live("a relative path of a configuration that lies in no folder is an error", () =>
    Effect.gen(function* () {
      assert.match(yield* failureOf("{file:token}"), /name it absolutely/)
      assert.match(yield* failureOf("{file:~/token}", undefined, { HOME: "" }), /name it absolutely/)
    })
  )

  it.live("a file is read again at each evaluation", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      writeFileSync(join(directory, "token"), "one")
      assert.strictEqual(yield* valueOf("{file:token}", {}, directory), "one")
      writeFileSync(join(directory, "token"), "two")
      assert.strictEqual(yield* valueOf("{file:token}", {}, directory), "two")
    })
  )

  it.live("F79: a line break that came of a variable or a file is refused where the field is made", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      writeFileSync(join(directory, "token"), "canary\r\nX-Evil: 1\n")
      for (const source of ["${A}", "{env:A}", "${B:-{}${A}", "{file:token}"]) {
        const value = yield* valueOf(source, { A: "canary\nX-Evil: 1" }, directory)
        const result = setField("X-A", value, "here", place)
        assert(Result.isFailure(result))
        assert.include(result.failure.message, "line break")
        assert.notInclude(result.failure.message, "canary")
      }
    })
  )
})
