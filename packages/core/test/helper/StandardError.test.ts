import { describe, expect, it } from "@effect/vitest"
import { appendTail, MASK, shown, TAIL_LIMIT } from "@letterhead/core/helper/StandardError"
import { seeded } from "./randomJson.ts"

const lines = (text: string, known: ReadonlyArray<string> = []): ReadonlyArray<string> =>
  shown(new TextEncoder().encode(text), known)

describe("StandardError", () => {
  it("keeps the end of what was written, whatever the chunks, 2,000 times", () => {
    const random = seeded(11)
    for (let run = 0; run < 2_000; run++) {
      let tail: Uint8Array = new Uint8Array(0)
      const all: Array<number> = []
      for (let count = Math.floor(random() * 6); count > 0; count--) {
        const chunk = Uint8Array.from({ length: Math.floor(random() ** 3 * 6_000) }, () => Math.floor(random() * 256))
        all.push(...chunk)
        tail = appendTail(tail, chunk)
      }
      expect(Buffer.compare(tail, Uint8Array.from(all.slice(-TAIL_LIMIT)))).toBe(0)
    }
  })

  it("shows the sentences in which tools complain", () => {
    expect(lines("Error: Cannot find module './auth'\n")).toEqual([`Error: Cannot find module ${MASK}`])
    expect(lines("refused by the server (401)\r\nlog in first!")).toEqual([
      "refused by the server (401)",
      "log in first!"
    ])
    expect(lines("TypeError: fetch failed")).toEqual(["TypeError: fetch failed"])
  })

  it.each([
    "sk-live-4f9a",
    "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    "Authorization: Bearer hunter",
    "token=hunter",
    "password: hunter",
    "api key: hunter",
    "eyJhbGciOiJIUzI1NiJ9.hunter.x",
    "https://user:hunter@host/",
    "hunterhunterhunterhunter",
    "mysecret",
    "hunteR",
    '{"a":"hunter"}',
    "123456",
    "\u001b[31mhunter\u001b[0m"
  ])("masks %j", (text) => {
    const last = text.split(" ").at(-1) ?? text
    expect(lines(`it says ${text}`).join(" ")).not.toContain(last)
    expect(lines(`it says ${text}`).join(" ")).not.toContain("hunter")
  })

  it("masks a plain word that the helper also printed or was given", () => {
    expect(lines("sent opensesame now", ['{"A":"Bearer opensesame"}'])).toEqual([`sent ${MASK} now`])
    expect(lines("sent opensesame now", ["openses", "xopensesamex"])).toEqual([`sent ${MASK} now`])
  })

  it("shows no random token of sixteen characters or more, 2,000 times", () => {
    const random = seeded(13)
    const alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."
    for (let run = 0; run < 2_000; run++) {
      const length = 16 + Math.floor(random() * 60)
      const token = Array.from({ length }, () => alphabet[Math.floor(random() * alphabet.length)]).join("")
      expect(lines(`failed with ${token} at line 3`)).toEqual([`failed with ${MASK} at line 3`])
    }
  })
})
