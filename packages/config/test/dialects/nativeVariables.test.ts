/** Variables in an entry of a native file; fault F79. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { describe, expect, layer } from "@effect/vitest"
import { readsOutside } from "@letterhead/core/server/Template"
import * as Effect from "effect/Effect"
import * as ConfigFolder from "../ConfigFolder.ts"
import { FILE, reasonFor } from "./nativeEntry.ts"

layer(NodeServices.layer)("native", (it) => {
  describe("F79: variables", () => {
    for (const [entry, expected] of [
      [
        '{ "url": "https://${HOST}" }',
        "4:21 (mcpServers.bad.url): the environment variable HOST is not set; set it, or give a default: ${HOST:-…}"
      ],
      [
        '{ "url": "https://b", "headers": { "X": "Bearer {env:T}" } }',
        "4:52 (mcpServers.bad.headers.X): the environment variable T is not set; set it, or give a default: ${T:-…}"
      ],
      [
        '{ "url": "https://b", "headers": { "X": "${EMPTY}" } }',
        "4:52 (mcpServers.bad.headers.X): the environment variable EMPTY is not set; set it, or give a default: ${EMPTY:-…}"
      ],
      [
        '{ "url": "https://b", "headersHelper": { "command": "a", "environment": { "P": "${T}" } } }',
        "4:91 (mcpServers.bad.headersHelper.environment.P): the environment variable T is not set; set it, or give a default: ${T:-…}"
      ],
      [
        '{ "command": "a", "env": { "P": "${T}" } }',
        "4:44 (mcpServers.bad.env.P): the environment variable T is not set; set it, or give a default: ${T:-…}"
      ],
      [
        '{ "url": "https://b", "headers": { "X": "${A" } }',
        '4:52 (mcpServers.bad.headers.X): expected a template that can be read: "${" is not closed by "}"'
      ],
      [
        '{ "url": "https://b", "headers": { "X": "Bearer ${CRLF}" } }',
        "4:52 (mcpServers.bad.headers.X): expected a header that can be sent: a value has no line break; part of it comes from the environment variable CRLF; correct that"
      ],
      [
        '{ "url": "https://${CRLF}" }',
        "4:21 (mcpServers.bad.url): expected a URL without blanks, line breaks or control characters; part of it comes from the environment variable CRLF; correct that"
      ],
      [
        '{ "url": "${USER_URL}" }',
        "4:21 (mcpServers.bad.url): expected a URL without a user name or password; send a credential in a header; part of it comes from the environment variable USER_URL; correct that"
      ]
    ] as const) {
      it.effect(entry, () =>
        Effect.gen(function* () {
          const reason = yield* reasonFor(entry, {
            EMPTY: "",
            CRLF: "canary\r\nX-Evil: 1",
            USER_URL: "https://me:canary@b"
          })
          expect(reason).toBe(expected)
          expect(reason).not.toContain("canary")
        })
      )
    }

    it.effect("a variable within a variable is refused", () =>
      Effect.gen(function* () {
        expect(yield* reasonFor('{ "url": "https://b", "headers": { "X": "${A:-${B}}" } }', { B: "b" })).toMatch(
          /^4:52 \(mcpServers\.bad\.headers\.X\): expected a template that can be read: .+ is not supported$/
        )
      })
    )

    it.effect("what every object inherits is no variable", () =>
      Effect.gen(function* () {
        expect(yield* reasonFor('{ "url": "https://b", "headers": { "X": "${toString:-ok}" } }')).toBe("")
      })
    )

    it.effect("a variable in a command is not expanded, and said not to be", () =>
      Effect.gen(function* () {
        const folder = yield* ConfigFolder.make
        yield* folder.write(FILE, {
          mcpServers: {
            a: { url: "https://a", headersHelper: { command: ["x", "${SECRET}"] } },
            b: { command: "x", args: ["${SECRET}"] },
            c: { url: "https://c", headersHelper: "x ${SECRET}" }
          }
        })
        const config = yield* folder.discover({}, { SECRET: "canary" })
        expect((yield* config.get("a")).helper?.command).toEqual(["x", "${SECRET}"])
        expect((yield* config.get("b")).endpoint).toMatchObject({ args: ["${SECRET}"] })
        expect(config.warnings.map((warning) => warning.place.path)).toEqual([
          "mcpServers.a.headersHelper.command[1]",
          "mcpServers.b.args[0]"
        ])
        expect(JSON.stringify([...config.servers.values()])).not.toContain("canary")
      })
    )

    it.effect("a value from a file is left to the connect", () =>
      Effect.gen(function* () {
        const folder = yield* ConfigFolder.make
        yield* folder.write(FILE, { mcpServers: { a: { url: "https://a", headers: { X: "{file:./missing}" } } } })
        const entry = yield* (yield* folder.discover()).get("a")
        expect(entry.headers.map((header) => readsOutside(header.value))).toEqual([true])
      })
    )
  })
})
