import * as NodeServices from "@effect/platform-node/NodeServices"
import { expect, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Struct from "effect/Struct"
import { entryOf, load, reasonOf } from "./entryOf.ts"

const CANARY = "canary-5b8e"

const headerOf = (userConfig: unknown) =>
  Effect.map(entryOf({ userConfig }), ({ credentials }) =>
    credentials.map(({ headerName, valuePrefix }) => `${headerName}: ${valuePrefix}…`)
  )

layer(NodeServices.layer)("CredentialsDecoder", (it) => {
  it.effect("fields become headers; two names go without saying", () =>
    Effect.gen(function* () {
      const { credentials } = yield* entryOf({
        userConfig: {
          API_KEY: { title: "API key", sensitive: true, required: true, headerName: "x-api-key" },
          RETRIES: { type: "number", default: 3, headerName: "x-retries" },
          access_token: {}
        }
      })
      expect(credentials.map((field) => Struct.omit(field, ["place"]))).toEqual([
        {
          name: "API_KEY",
          title: "API key",
          headerName: "x-api-key",
          valuePrefix: "",
          required: true,
          sensitive: true
        },
        {
          name: "RETRIES",
          title: "RETRIES",
          headerName: "x-retries",
          valuePrefix: "",
          required: false,
          sensitive: false,
          default: "3"
        },
        {
          name: "access_token",
          title: "access_token",
          headerName: "Authorization",
          valuePrefix: "Bearer ",
          required: false,
          sensitive: true
        }
      ])
    })
  )

  it.effect("raw_access_token has no prefix, and both may name another header", () =>
    Effect.gen(function* () {
      expect(yield* headerOf({ raw_access_token: {} })).toEqual(["Authorization: …"])
      expect(yield* headerOf({ access_token: { valuePrefix: "Token " } })).toEqual(["Authorization: Token …"])
      expect(
        yield* headerOf({
          access_token: { headerName: "x-token" },
          raw_access_token: { headerName: "x-raw", valuePrefix: "r " }
        })
      ).toEqual(["x-token: …", "x-raw: r …"])
    })
  )

  it.effect("a sensitive field has no default, and the message does not show it", () =>
    Effect.gen(function* () {
      for (const userConfig of [
        { KEY: { headerName: "x-key", sensitive: true, default: CANARY } },
        { access_token: { default: CANARY } }
      ]) {
        const reason = yield* reasonOf({ userConfig })
        expect(reason).toContain(".default): expected no default for a sensitive field")
        expect(reason).not.toContain(CANARY)
      }
    })
  )

  it.effect("two fields never share a header, whatever their case", () =>
    Effect.gen(function* () {
      expect(yield* reasonOf({ userConfig: { A: { headerName: "X-Key" }, B: { headerName: "x-key" } } })).toBe(
        '(.userConfig.B): expected a header of its own for each field: names compare without regard to case; x-key is taken by "A" at program (mcpServers.a.userConfig.A)'
      )
      expect(yield* reasonOf({ userConfig: { access_token: {}, raw_access_token: {} } })).toContain(
        "expected a header of its own for each field"
      )
    })
  )

  it.effect("a field without a header is a warning", () =>
    Effect.gen(function* () {
      const config = yield* load({ url: "https://a", userConfig: { FOLDER: { type: "directory" } } })
      expect((yield* config.get("a")).credentials).toEqual([])
      expect(config.warnings.map(({ message, place }) => [place.path, message])).toEqual([
        [
          "mcpServers.a.userConfig.FOLDER",
          'the field "FOLDER" is sent nowhere, and never asked for; give it a "headerName", or remove it'
        ]
      ])
    })
  )

  it.effect("names and defaults are checked by the rules they are sent under", () =>
    Effect.gen(function* () {
      expect(yield* reasonOf({ userConfig: { A: { headerName: "Host" } } })).toBe(
        '(.userConfig.A.headerName): expected a header that an entry may set; "Host" belongs to the protocol; name another'
      )
      expect(yield* reasonOf({ userConfig: { A: { headerName: "x y" } } })).toContain(
        "expected a header that can be sent"
      )
      for (const value of ["a\r\nb", "ü", "a ", `${CANARY}\u0000`]) {
        const reason = yield* reasonOf({ userConfig: { A: { headerName: "x", default: value } } })
        expect(reason).toContain("expected a header that can be sent")
        expect(reason).not.toContain(CANARY)
      }
      expect(yield* reasonOf({ userConfig: { "\u0007": { headerName: "x" } } })).toContain(
        "a name of visible characters"
      )
      expect(yield* reasonOf({ userConfig: { A: { headerName: "x", type: "text" } } })).toContain(".type): expected")
    })
  )
})
