/** A list that values enter and leave in any order. */
import { assert, it } from "@effect/vitest"
import { OpenSlots, type Slot } from "@letterhead/mcp/OpenSlots"
import * as Schema from "effect/Schema"

const choices = Schema.Array(
  Schema.Struct({ step: Schema.Literals(["enter", "leave", "leave again"]), which: Schema.Int })
)

it.prop(
  "holds what entered and did not leave, whatever the order, and nothing leaves twice",
  { choices },
  ({ choices: steps }) => {
    const list = new OpenSlots<number>()
    const inside: Array<Slot<number>> = []
    const gone: Array<Slot<number>> = []
    for (const [number, { step, which }] of steps.entries()) {
      if (step === "enter") inside.push(list.enter(number))
      const from = step === "leave" ? inside : gone
      const chosen = step === "enter" ? undefined : from[Math.abs(which) % Math.max(1, from.length)]
      if (chosen === undefined) continue
      assert.strictEqual(list.leave(chosen), step === "leave")
      if (step === "leave") gone.push(...inside.splice(inside.indexOf(chosen), 1))
    }
    assert.strictEqual(list.size, inside.length)
    assert.sameMembers(
      list.slots().map(({ value }) => value),
      inside.map(({ value }) => value)
    )
  }
)
