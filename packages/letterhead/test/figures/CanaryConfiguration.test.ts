/** F50 for what is refused before a source is asked: trust, templates, URLs, documents. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { SecretStore } from "@letterhead/core/secrets/SecretStore"
import { McpConfig } from "@letterhead/core/server/McpConfig"
import type { ServerEntry } from "@letterhead/core/server/ServerEntry"
import { TrustStore } from "@letterhead/core/trust/TrustStore"
import * as TrustSubject from "@letterhead/core/trust/TrustSubject"
import { entry, type EntryOptions } from "@letterhead/testing/EntryFixture"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { chmodSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Letterhead from "letterhead/Letterhead"
import {
  ADDED,
  HEADER,
  IN_FILE,
  IN_URL,
  PRINTED,
  STORED,
  THROWN,
  expectNothing,
  outcome,
  resolve,
  scene
} from "./Canary.ts"
import { CARRYING } from "./CanaryRequests.ts"

const approve = (target: ServerEntry) =>
  Effect.gen(function* () {
    yield* (yield* TrustStore).approve(yield* TrustSubject.make(target))
  })

describe.concurrent("a configuration that is refused", () => {
  it.live("F50, F81: no refusal of trust shows one, and the trust store holds none", () =>
    Effect.gen(function* () {
      const { evidence, folder, layerWith, state, write } = yield* scene
      write("headers.sh", `#!/bin/sh\necho 'noise ${PRINTED}' >&2\necho '{"X-Key": "${PRINTED}"}'\nexit 3\n`, 0o755)
      write("letterhead.json", "{}")
      const project = (options: EntryOptions = {}) =>
        entry({
          scope: "project",
          directory: folder,
          workspace: folder,
          url: `https://mcp.example.com/mcp?key=${IN_URL}`,
          headers: { "X-Static": HEADER, Authorization: `Bearer ${HEADER}`, "X-Variable": "${SECRET}" },
          ...options,
          helper: { command: ["./headers.sh"], environment: { API_TOKEN: ADDED }, ...options.helper }
        })
      yield* Effect.gen(function* () {
        const expect = Effect.fnUntraced(function* (row: string, target: ServerEntry, tag: string) {
          assert.strictEqual(outcome(yield* evidence.observe(row, resolve(target))), tag, row)
        })
        yield* expect("F31", project(), "NotTrusted")
        yield* evidence.observe("subject", TrustSubject.make(project()))
        yield* evidence.observe("approval", approve(project()))
        yield* evidence.observe(
          "list",
          Effect.flatMap(TrustStore, (store) => store.list)
        )
        // The variable is withheld, and its name alone is said.
        yield* expect("F42", project(), "ExitedWith")
        yield* expect("F32", project({ helper: { command: ["./headers.sh", "--all"] } }), "NotTrusted")
        const added = { command: ["./headers.sh"], environment: { API_TOKEN: THROWN } }
        yield* expect("F32", project({ helper: added }), "NotTrusted")
        yield* expect("F33", project({ url: `https://mcp.example.net/mcp?key=${IN_FILE}` }), "NotTrusted")
        yield* expect("F81", project({ headers: { "X-Static": STORED } }), "NotTrusted")
        write("secret.txt", IN_FILE)
        const key = { principal: "local", origin: "https://foreign.example.com", server: "example", field: "API_KEY" }
        yield* (yield* SecretStore).set(key, Redacted.make(STORED))
        for (const options of [
          { headers: { "X-Variable": "${SECRET}" } },
          { headers: { "X-File": `{file:${folder}/secret.txt}` } },
          { credentials: [{ name: "API_KEY", headerName: "X-Api-Key", sensitive: true, required: true }] },
          { passthrough: [{ name: "x-incoming", required: true }] },
          { oauth: { clientId: "${SECRET}", clientSecret: "${SECRET}" }, auth: "oauth" }
        ] as const) {
          const target = entry({
            scope: "project",
            directory: folder,
            url: "https://foreign.example.com/mcp",
            ...options
          })
          const tag = outcome(yield* evidence.observe("F81", resolve(target, CARRYING)))
          assert.strictEqual(tag, "NotTrusted", JSON.stringify(options))
        }
        const code = { command: ["./headers.sh"], environment: { NODE_OPTIONS: ADDED } }
        yield* expect("F36", project({ headers: { "X-Static": HEADER }, helper: code }), "TrustRefused")
        yield* expect("F35", project({ helper: { command: ["no-such-helper"] } }), "NotFound")
        write("changing.sh", `#!/bin/sh\necho '{"X-Key": "${PRINTED}"}'\necho '# ${PRINTED}' >> "$0"\n`, 0o755)
        const changing = project({ headers: {}, helper: { command: ["./changing.sh"] } })
        yield* approve(changing)
        yield* expect("F38", changing, "FileChanged")
        yield* evidence.keepFiles(state)
        assert.isAbove(evidence.counts().file, 0)

        for (const [row, text] of [
          ["F39", `{"version": 1, "approvals": [{"${THROWN}": "${THROWN}"}]}`],
          ["F39", `{"version": 1, "${THROWN}`],
          ["F39", THROWN]
        ] as const) {
          writeFileSync(join(state, "trust.json"), text)
          yield* expect(row, project(), "TrustStoreFailed")
          yield* evidence.observe(row, approve(project()))
        }
        chmodSync(state, 0o777)
        yield* expect("F37", project(), "TrustStoreFailed")
        symlinkSync(join(folder, "headers.sh"), join(folder, "linked.sh"))
        yield* evidence.observe("F37", resolve(project({ helper: { command: ["./linked.sh"] } })))
        chmodSync(join(folder, "letterhead.json"), 0o666)
        yield* expect("F37", project(), "TrustRefused")
      }).pipe(Effect.provide(layerWith()))
      expectNothing(evidence)
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it.live("F50: no template, URL or document that is refused shows one", () =>
    Effect.gen(function* () {
      const { evidence, folder, layerWith, write } = yield* scene
      const broken = write("broken", `${IN_FILE}\u0007`)
      write("open", IN_FILE, 0o644)
      const expectations: ReadonlyArray<readonly [row: string, options: EntryOptions, tag: string]> = [
        ["F79", { headers: { A: `${HEADER}\${UNSET}`, B: HEADER } }, "VariableMissing"],
        ["F79", { headers: { A: `Bearer ${HEADER} \${SPLIT}` } }, "HeaderInvalid"],
        ["F79", { headers: { A: `{file:${broken}}` } }, "HeaderInvalid"],
        ["F79", { headers: { A: `{file:${folder}/gone}`, B: HEADER } }, "FileUnreadable"],
        ["F79", { url: "${SECRET}" }, "UrlInvalid"],
        ["F79", { url: "${SPLIT}" }, "UrlInvalid"],
        ["F44", { url: `ftp://mcp.example.com/${IN_URL}` }, "UrlInvalid"],
        ["F44", { url: `https://someone:${IN_URL}@mcp.example.com/mcp` }, "UrlInvalid"],
        ["F15", { headers: { A: `${HEADER} ` } }, "HeaderInvalid"],
        ["F16", { headers: { Host: HEADER } }, "HeaderForbidden"],
        ["F17", { headers: { A: HEADER.repeat(1_000) } }, "HeaderTooLarge"]
      ]
      for (const [row, options, tag] of expectations) {
        const target = entry({ directory: folder, ...options })
        const exit = yield* evidence.observe(row, Effect.provide(resolve(target), layerWith()))
        assert.strictEqual(outcome(exit), tag, `${row} ${tag}`)
      }

      const documents = [
        `{"mcpServers": {"a": {"url": "https://a", "headers": {"A": ["${HEADER}"]}}}}`,
        `{"mcpServers": {"a": {"url": "https://a", "headers": {"A b": "${HEADER}"}}}}`,
        `{"mcpServers": {"a": {"url": "https://u:${IN_URL}@a", "unknown": "${HEADER}"}}}`,
        `{"mcpServers": {"a": {"url": "https://a", "headers": {"A": "\${UNSET} ${HEADER}"}}}}`,
        `{"mcpServers": {"a": {"url": "https://a", "headersHelper": {"command": 1, "environment": {"A": "${ADDED}"}}}}}`,
        `{"mcpServers": {"a": {"url": "https://a", "userConfig": {"K": {"sensitive": true, "default": "${STORED}", "headerName": "A"}}}}}`,
        `{"mcpServers": {"a": {"url": "https://a", "headers": {"A": "${HEADER}", "A": "${HEADER}"}}}}`,
        `{"mcpServers": {"a": {"url": "https://a", "headers": {"A": ${HEADER}}}}}`,
        `{"mcpServers": {"a": {"url": "https://a", "trusted": "${STORED}"}}, "trust": {"allow": ["${STORED}"]}}`,
        `{"mcpServers": {"a": "${HEADER}"}, "credentials": "${STORED}"}`
      ]
      for (const [index, text] of documents.entries()) {
        const configFile = write(`document-${index}.json`, text)
        const said = Effect.gen(function* () {
          const config = yield* McpConfig
          const first = yield* Effect.flip(config.get("a")).pipe(Effect.orElseSucceed(() => undefined))
          return [config.skipped, config.failed, config.warnings, config.shadowed, first?.message, first]
        })
        yield* evidence.observe(
          `document ${index}`,
          Effect.provide(said, Letterhead.layer({ configFile, cwd: folder, environment: { HOME: folder } }))
        )
      }
      expectNothing(evidence)
    }).pipe(Effect.provide(NodeServices.layer))
  )
})
