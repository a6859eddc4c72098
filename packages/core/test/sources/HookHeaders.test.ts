/** The laws of what hooks leave: their changes, one after the other, over names without regard to case. */
import { assert, describe, it } from "@effect/vitest"
import * as HookHeaders from "@letterhead/core/sources/HookHeaders"
import * as Schema from "effect/Schema"

const RUNS = { arbitrary: { runs: 2_000 } } as const

const NAMES = ["authorization", "x-key", "x-tenant", "x-new"] as const
const SPELLINGS = [
  (name: string) => name,
  (name: string) => name.toUpperCase(),
  (name: string) => name.replace(/^./, (letter) => letter.toUpperCase())
] as const

/** What one hook does to one header; the value is its own. */
const Step = Schema.Struct({
  name: Schema.Literals([0, 1, 2, 3]),
  spelling: Schema.Literals([0, 1, 2]),
  does: Schema.Literals(["sets", "deletes", "empties", "replaces the object", "writes back what it read"])
})
const Hook = Schema.Array(Step)

/** Which headers there are before the first hook, and whether hooks see their values. */
const Before = Schema.Struct({
  authorization: Schema.Literals(["none", "masked", "visible"]),
  "x-key": Schema.Literals(["none", "masked", "visible"]),
  "x-tenant": Schema.Literals(["none", "masked", "visible"])
})

/** Headers that are there before the first hook. */
const headersOf = (fields: ReadonlyArray<HookHeaders.ShownField>) =>
  new HookHeaders.HookHeaders({
    all: () => fields,
    get: (name) => fields.find((field) => field.name.toLowerCase() === name.toLowerCase())
  })

const spelled = (step: typeof Step.Type) => SPELLINGS[step.spelling](NAMES[step.name])

describe("HookHeaders", () => {
  it.prop(
    "several hooks leave what the same steps leave of a plain map by folded name",
    { before: Before, hooks: Schema.Array(Hook) },
    ({ before, hooks }) => {
      const fields = NAMES.flatMap((name) => {
        const state = name === "x-new" ? "none" : before[name]
        return state === "none" ? [] : [{ name, value: `value of ${name}`, visible: state === "visible" }]
      })
      const headers = headersOf(fields)
      /** Absent: not there. `undefined`: there without a value. A mark of the test: what was there before. */
      const model = new Map<string, string | undefined>(fields.map(({ name }) => [name, "kept"]))

      for (const [index, steps] of hooks.entries()) {
        let view = headers.view()
        for (const [place, step] of steps.entries()) {
          const name = spelled(step)
          const folded = NAMES[step.name]
          const value = `from ${index}.${place}`
          switch (step.does) {
            case "sets":
              view[name] = value
              model.set(folded, value)
              break
            case "deletes":
              delete view[name]
              model.delete(folded)
              break
            case "empties":
              view[name] = undefined
              model.set(folded, undefined)
              break
            case "replaces the object":
              view = { ...view }
              break
            case "writes back what it read":
              // Of a plain object names are what they are.
              if (Object.hasOwn(view, folded)) Object.assign(view, { [folded]: view[folded] })
          }
          // A copy no longer folds names, so that later steps of this hook would add spellings.
          if (step.does === "replaces the object") break
        }
        headers.take(HookHeaders.read(view), `hook ${index}`)
      }

      const changes = new Map(headers.changes().map((change) => [change.name.toLowerCase(), change]))
      assert.strictEqual(changes.size, headers.changes().length)
      for (const name of NAMES) {
        const existed = fields.some((field) => field.name === name)
        const change = changes.get(name)
        const left = model.has(name) ? { value: model.get(name) } : undefined
        if (existed ? left?.value === "kept" : left === undefined) {
          assert.isUndefined(change, `${name} is as it was`)
        } else {
          assert.strictEqual(change?.value, left?.value, name)
          assert.strictEqual(change?.existed, existed, name)
        }
      }
    },
    RUNS
  )

  it.prop(
    "a value that hooks may not see is in nothing that they are given",
    { before: Before },
    ({ before }) => {
      const fields = NAMES.flatMap((name) =>
        name === "x-new" || before[name] === "none"
          ? []
          : [{ name, value: `canary of ${name}`, visible: before[name] === "visible" }]
      )
      const view = headersOf(fields).view()
      for (const { name, value, visible } of fields) assert.strictEqual(view[name] === value, visible)
    },
    RUNS
  )
})
