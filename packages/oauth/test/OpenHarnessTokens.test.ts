/** What OpenHarness may have written, and what somebody else may have put in its place. */
import { execFileSync } from "node:child_process"
import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { describe, expect, it } from "@effect/vitest"
import * as OpenHarnessTokens from "@letterhead/oauth/openharness/OpenHarnessTokens"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"

const WRITTEN_AT = Date.UTC(2026, 0, 1)

/** The tokens of a text, in clear. */
const plain = (found: Option.Option<OpenHarnessTokens.OpenHarnessTokens>) =>
  Option.getOrUndefined(
    Option.map(found, (tokens) =>
      Object.fromEntries(
        Object.entries(tokens).map(([name, value]) => [
          name,
          Redacted.isRedacted(value) ? Redacted.value(value) : value
        ])
      )
    )
  )

const decode = (value: unknown) =>
  plain(OpenHarnessTokens.decode(Redacted.make(typeof value === "string" ? value : JSON.stringify(value)), WRITTEN_AT))

const sdk = { access_token: "a-1", token_type: "Bearer", refresh_token: "r-1", expires_in: 60, scope: "x y" }

describe("OpenHarnessTokens.decode", () => {
  it("reads the tokens of the SDK, at the top and within another object", () => {
    const expected = { accessToken: "a-1", refreshToken: "r-1", scope: "x y", expiresAt: WRITTEN_AT + 60_000 }
    expect(decode(sdk)).toEqual(expected)
    expect(decode({ tokens: sdk })).toEqual(expected)
    expect(decode({ version: 1, credentials: sdk })).toEqual(expected)
  })

  it("reads the client, the issuer and the server beside them", () => {
    const client = { client_id: "c-1", client_secret: "s-1" }
    expect(
      decode({
        tokens: { access_token: "a-1" },
        clientInformation: client,
        issuer: "https://as",
        serverUrl: "https://x"
      })
    ).toEqual({
      accessToken: "a-1",
      clientId: "c-1",
      clientSecret: "s-1",
      issuer: "https://as",
      serverUrl: "https://x"
    })
  })

  it("reads an expiry in seconds, in milliseconds and as a date", () => {
    for (const expiry of [WRITTEN_AT / 1_000, WRITTEN_AT, "2026-01-01T00:00:00Z"]) {
      expect(decode({ access_token: "a-1", expires_at: expiry })).toEqual({ accessToken: "a-1", expiresAt: WRITTEN_AT })
    }
    expect(decode({ access_token: "a-1", expires_at: "soon" })).toEqual({ accessToken: "a-1" })
  })

  it("takes everything else for no tokens, without a word", () => {
    const others = ["", "{", "null", "[]", '"a-1"', {}, { access_token: "" }, { access_token: 7 }, { tokens: [sdk] }]
    for (const other of [...others, { access_token: "a\r\nb" }, { a: { b: sdk } }, `{"access_token": "a-1"`]) {
      expect(decode(other)).toBeUndefined()
    }
    expect(decode('{"__proto__": {"access_token": "a-1"}, "toString": 1}')).toMatchObject({ accessToken: "a-1" })
  })
})

describe("OpenHarnessTokens.fileOf", () => {
  it("F73: a name that would be a path of its own has no file", () => {
    expect(OpenHarnessTokens.fileOf("/home/ada", "notes")).toBe("/home/ada/.oh/credentials/mcp/notes.json")
    for (const name of ["../x", "a/b", "a\\b", "..", ".", "", "a\0b", "x".repeat(300)]) {
      expect(OpenHarnessTokens.fileOf("/home/ada", name)).toBeUndefined()
    }
  })
})

const execute = (program: string, args: ReadonlyArray<string>) => execFileSync(program, args)

const written = (file: string) => writeFileSync(file, JSON.stringify(sdk), { mode: 0o600 })

describe("OpenHarnessTokens.readFile", () => {
  const read = Effect.fnUntraced(function* (prepare: (file: string) => void) {
    const directory = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "letterhead-oh-"))),
      (made) => Effect.sync(() => rmSync(made, { recursive: true, force: true }))
    )
    const file = join(directory, "notes.json")
    prepare(file)
    return plain(yield* OpenHarnessTokens.readFile(file))
  }, Effect.provide(NodeServices.layer))

  it.effect("reads a file of the person's own, and counts a lifetime from when it was written", () =>
    Effect.gen(function* () {
      const found = yield* read((file) => writeFileSync(file, JSON.stringify(sdk), { mode: 0o600 }))
      expect(found).toMatchObject({ accessToken: "a-1", refreshToken: "r-1" })
      expect(Number(found?.["expiresAt"])).toBeGreaterThan(WRITTEN_AT)
    })
  )

  it.effect("F68: what is corrupt or too large is no tokens", () =>
    Effect.gen(function* () {
      for (const text of ["", "{", JSON.stringify({ ...sdk, pad: " ".repeat(OpenHarnessTokens.SIZE_LIMIT) })]) {
        expect(yield* read((file) => writeFileSync(file, text, { mode: 0o600 }))).toBeUndefined()
      }
      expect(yield* read(() => undefined)).toBeUndefined()
    })
  )

  it.effect("F69: a link, a FIFO and a file that others can write are no tokens, and none blocks", () =>
    Effect.gen(function* () {
      const kinds: ReadonlyArray<(file: string) => void> = [
        (file) => {
          written(`${file}.target`)
          symlinkSync(`${file}.target`, file)
        },
        (file) => void execute("mkfifo", [file]),
        (file) => {
          written(file)
          chmodSync(file, 0o666)
        }
      ]
      for (const kind of kinds) expect(yield* read(kind)).toBeUndefined()
    })
  )
})
