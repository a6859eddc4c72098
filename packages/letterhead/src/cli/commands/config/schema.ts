/**
 * `letterhead config schema`: the JSON Schema of Letterhead's own form of configuration, for editors.
 *
 * Reads nothing. The same with `--json`.
 */
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import { Output } from "../../Output.ts"

export const schema = Command.make("schema", {}, () =>
  Effect.gen(function* () {
    const output = yield* Output
    const { jsonSchema } = yield* Effect.promise(() => import("@letterhead/config/NativeForm"))
    yield* output.document(jsonSchema())
  })
).pipe(Command.withDescription("Print the JSON Schema of the configuration, for editors"))
