import { assert, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { defect } from "../../src/cli/NodeVersion.ts"

it("a Node that is too old is told which one is needed", () => {
  for (const version of ["20.20.2", "22.18.9", "18.0.0", "8.17.0"]) {
    assert.strictEqual(defect(version), `letterhead needs Node 22.19 or newer; this is Node ${version}`)
  }
})

it("the Node that is asked for, and newer ones, will do", () => {
  for (const version of ["22.19.0", "22.20.1", "23.0.0", "26.10.0", "100.0.0"]) assert.isUndefined(defect(version))
})

it("the manifest asks for the same Node", () => {
  const manifest = readFileSync(new URL("../../package.json", import.meta.url), "utf8")
  assert.include(manifest, `"node": ">=22.19"`)
})
