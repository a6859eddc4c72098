import * as NodeServices from "@effect/platform-node/NodeServices"
import { expect, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Struct from "effect/Struct"
import { entryOf, reasonOf } from "./entryOf.ts"

layer(NodeServices.layer)("PassthroughDecoder", (it) => {
  it.effect("an entry is a name or an object, and nothing is forwarded by default", () =>
    Effect.gen(function* () {
      expect((yield* entryOf({})).passthrough).toEqual([])
      const { passthrough } = yield* entryOf({
        passthroughHeaders: [
          "x-mcp-api-key",
          { name: "x-user-token", as: "Authorization", credential: true, required: true, override: false },
          { name: "Cookie", credential: true },
          { name: "Proxy-Authorization", as: "X-Proxy", credential: true, override: true }
        ]
      })
      expect(passthrough.map((header) => Struct.omit(header, ["place"]))).toEqual([
        { name: "x-mcp-api-key", as: "x-mcp-api-key", required: false, credential: false, override: false },
        { name: "x-user-token", as: "Authorization", required: true, credential: true, override: false },
        { name: "Cookie", as: "Cookie", required: false, credential: true, override: false },
        { name: "Proxy-Authorization", as: "X-Proxy", required: false, credential: true, override: true }
      ])
    })
  )

  it.effect("credentials need to be called so, as source and as target", () =>
    Effect.gen(function* () {
      for (const header of ["Authorization", "COOKIE", "proxy_authorization"]) {
        const beside = `expected "credential": true beside "${header}"; this header is a credential of whoever calls the runtime; add it only where this server may have it`
        expect(yield* reasonOf({ passthroughHeaders: [header] })).toBe(`(.passthroughHeaders[0]): ${beside}`)
        expect(yield* reasonOf({ passthroughHeaders: [{ name: "x-a", as: header }] })).toBe(
          `(.passthroughHeaders[0].as): ${beside}`
        )
      }
    })
  )

  it.effect("what the protocol owns is refused as source and as target, with _ for - as well", () =>
    Effect.gen(function* () {
      for (const header of ["Host", "mcp-session-id", "MCP_Session_Id", "X-Forwarded-For", "Content_Type", "origin"]) {
        const refused = `expected a header that may be let through; "${header}" belongs to the protocol; remove it`
        for (const credential of [true, false]) {
          expect(yield* reasonOf({ passthroughHeaders: [{ name: header, credential }] })).toContain(refused)
          expect(yield* reasonOf({ passthroughHeaders: [{ name: "x-a", as: header, credential }] })).toContain(refused)
        }
      }
    })
  )

  it.effect("a name that is no name is refused and cannot inject a line", () =>
    Effect.gen(function* () {
      for (const header of ["x a", "x:a", "x-a\r\nHost", "ü", "x".repeat(257)]) {
        expect(yield* reasonOf({ passthroughHeaders: [header] })).toContain("expected the name of a header: a name")
        expect(yield* reasonOf({ passthroughHeaders: [{ name: "x", as: header }] })).toContain("[0].as): expected")
      }
    })
  )

  it.effect("F49: names that differ in case or in _ and - are one name, and are refused twice", () =>
    Effect.gen(function* () {
      for (const twins of [
        ["x-mcp-api-key", "X_MCP_API_KEY"],
        ["x-a", { name: "x-b", as: "X_A" }],
        [
          { name: "x-a", as: "x-c" },
          { name: "x-b", as: "x-c" }
        ]
      ]) {
        expect(yield* reasonOf({ passthroughHeaders: twins })).toBe(
          '(.passthroughHeaders[1]): expected each header once: names compare without regard to case, and "_" as "-"; keep this one or the one at program (mcpServers.a.passthroughHeaders[0])'
        )
      }
    })
  )

  it.effect("a wrong shape is refused at its place, and a slip of the pen is said", () =>
    Effect.gen(function* () {
      expect(yield* reasonOf({ passthroughHeaders: "x-a" })).toBe(
        "(.passthroughHeaders): expected a list of header names"
      )
      expect(yield* reasonOf({ passthroughHeaders: [{ name: "x-a", required: "yes" }] })).toContain(
        "(.passthroughHeaders[0].required): expected"
      )
      const many = Array.from({ length: 65 }, (_, index) => `x-${index}`)
      expect(yield* reasonOf({ passthroughHeaders: many })).toBe("(.passthroughHeaders): expected at most 64 headers")
    })
  )
})
