/** Writes the JSON Schema of the native form, which is published with the package, from its Schema. */
import { mkdirSync, writeFileSync } from "node:fs"
import { dirname, resolve } from "node:path"
import { jsonSchema } from "../src/NativeForm.ts"

const file = resolve(import.meta.dirname, "../schema/letterhead.schema.json")

mkdirSync(dirname(file), { recursive: true })
writeFileSync(file, `${JSON.stringify(jsonSchema(), null, 2)}\n`)
