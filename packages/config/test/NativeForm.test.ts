import { expect, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { resolve } from "node:path"
import { jsonSchema } from "../src/NativeForm.ts"

it("the JSON Schema that is published is the one of the Schema that decodes", () => {
  const published = resolve(import.meta.dirname, "../schema/letterhead.schema.json")
  expect(JSON.parse(readFileSync(published, "utf8"))).toEqual(JSON.parse(JSON.stringify(jsonSchema())))
})

it("the schema knows every key of the native form, says what each is for, and no other", () => {
  expect(jsonSchema()).toMatchObject({
    $schema: "https://json-schema.org/draft/2020-12/schema",
    additionalProperties: false,
    properties: {
      $schema: {},
      extends: { type: "array", maxItems: 8 },
      hooks: { type: "array" },
      credentials: { properties: { storage: { enum: ["auto", "filesystem"] } } },
      mcpServers: {
        additionalProperties: {
          additionalProperties: false,
          properties: {
            type: {},
            url: { type: "string" },
            headers: {},
            headersHelper: {},
            command: {},
            args: {},
            env: {},
            passthroughHeaders: {},
            userConfig: {},
            timeout: {},
            auth: {},
            oauth: {}
          }
        }
      }
    }
  })
})
