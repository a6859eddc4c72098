import { it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { describe, expect } from "vitest"
import * as UrlPolicy from "../src/http/UrlPolicy.ts"

const remote = UrlPolicy.make({ serverUrl: new URL("https://mcp.example.com/mcp"), trustedOrigins: [] })
const local = UrlPolicy.make({ serverUrl: new URL("http://localhost:3000/mcp"), trustedOrigins: [] })

const Octet = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 255 }))
const Group = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 0xffff }))

/** Written by hand, to have something to hold ipaddr.js against. */
const isOrdinary = (a: number, b: number, c: number): boolean =>
  !(
    a === 0 ||
    a === 10 ||
    a === 127 ||
    a >= 224 ||
    (a === 100 && b >= 64 && b < 128) ||
    (a === 169 && b === 254) ||
    (a === 172 && b >= 16 && b < 32) ||
    (a === 192 && b === 168) ||
    (a === 198 && (b === 18 || b === 19)) ||
    ["192.0.0", "192.0.2", "192.31.196", "192.52.193", "192.88.99", "192.175.48", "198.51.100", "203.0.113"].includes(
      `${a}.${b}.${c}`
    )
  )

const hex = (one: number, other: number): string => ((one << 8) | other).toString(16)

describe("UrlPolicy.classify", () => {
  it.each([
    ["8.8.8.8", "public"],
    ["2606:4700::1111", "public"],
    ["64:ff9b::808:808", "public"],
    ["::ffff:8.8.8.8", "public"],
    ["127.0.0.1", "loopback"],
    ["127.255.0.7", "loopback"],
    ["::1", "loopback"],
    ["::ffff:127.0.0.1", "loopback"],
    ["::ffff:7f00:1", "loopback"],
    ["0.0.0.0", "special"],
    ["::", "special"],
    ["0.1.2.3", "special"],
    ["10.0.0.1", "special"],
    ["172.16.0.1", "special"],
    ["192.168.1.1", "special"],
    ["169.254.169.254", "special"],
    ["100.64.0.1", "special"],
    ["100.100.100.200", "special"],
    ["192.0.0.192", "special"],
    ["192.0.2.1", "special"],
    ["198.18.0.1", "special"],
    ["198.51.100.1", "special"],
    ["203.0.113.1", "special"],
    ["224.0.0.1", "special"],
    ["240.0.0.1", "special"],
    ["255.255.255.255", "special"],
    ["fe80::1", "special"],
    ["fe80::1%eth0", "special"],
    ["fc00::1", "special"],
    ["fd00:ec2::254", "special"],
    ["fec0::1", "special"],
    ["ff02::1", "special"],
    ["100::1", "special"],
    ["2001:db8::1", "special"],
    ["2001:2::1", "special"],
    ["2002:7f00:1::", "special"],
    ["2002:808:808::", "special"],
    ["2001:0:808:808::1", "special"],
    ["::127.0.0.1", "special"],
    ["::ffff:0:127.0.0.1", "special"],
    ["::ffff:10.0.0.1", "special"],
    ["64:ff9b::7f00:1", "special"],
    ["64:ff9b::a9fe:a9fe", "special"],
    ["64:ff9b:1::808:808", "special"],
    ["4000::1", "special"],
    ["", "special"],
    ["localhost", "special"],
    ["127.0.0.1 ", "special"]
  ] as const)("F45: %s is %s", (address, kind) => {
    expect(UrlPolicy.classify(address)).toBe(kind)
  })

  it.effect.prop(
    "F45: an IPv4 address is public, this machine, or neither; in every form that IPv6 has for it too",
    { a: Octet, b: Octet, c: Octet, d: Octet },
    ({ a, b, c, d }) =>
      Effect.sync(() => {
        const address = `${a}.${b}.${c}.${d}`
        const kind = a === 127 ? "loopback" : isOrdinary(a, b, c) ? "public" : "special"
        expect(UrlPolicy.classify(address)).toBe(kind)
        expect(UrlPolicy.classify(`::ffff:${address}`)).toBe(kind)
        expect(UrlPolicy.classify(`::ffff:${hex(a, b)}:${hex(c, d)}`)).toBe(kind)
        expect(UrlPolicy.classify(`64:ff9b::${address}`)).toBe(kind === "public" ? "public" : "special")
        expect(UrlPolicy.classify(`2002:${hex(a, b)}:${hex(c, d)}::1`)).toBe("special")
        expect(UrlPolicy.classify(`::${address}`)).toBe(address === "0.0.0.1" ? "loopback" : "special")
      }),
    { arbitrary: { runs: 2_000 } }
  )

  it.effect.prop(
    "F45: no IPv6 address outside 2000::/3 is public",
    { head: Group, rest: Schema.Tuple([Group, Group, Group, Group, Group, Group, Group]) },
    ({ head, rest }) =>
      Effect.sync(() => {
        if (head >= 0x2000 && head < 0x4000) return
        const address = [head, ...rest].map((group) => group.toString(16)).join(":")
        expect(UrlPolicy.classify(address)).not.toBe("public")
      }),
    { arbitrary: { runs: 1_500 } }
  )
})

describe("UrlPolicy.check", () => {
  it.each([
    "file:///etc/passwd",
    "javascript:alert(1)",
    "data:text/html,x",
    "$(touch /tmp/x)",
    "`id`",
    "--flag",
    "-oProxyCommand=id",
    "",
    "//auth.example.com/token",
    "ftp://auth.example.com/",
    "http://auth.example.com/token",
    "https://user:password@auth.example.com/",
    "https://user@auth.example.com/"
  ])("F74: %s is refused, whoever names it", (text) => {
    expect(Result.isFailure(remote.check(text))).toBe(true)
    expect(Result.isFailure(local.check(text))).toBe(true)
  })

  it.each([
    "https://localhost/",
    "https://localhost./",
    "https://LOCALHOST/",
    "https://api.localhost/",
    "https://127.0.0.1/",
    "https://127.0.0.1./",
    "https://127.1/",
    "https://2130706433/",
    "https://0x7f.1/",
    "https://0177.0.0.1/",
    "https://0x7f000001/",
    "https://[::1]/",
    "https://[0:0:0:0:0:0:0:1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://①②⑦.⓪.⓪.①/",
    "https://0/",
    "https://0.0.0.0/",
    "https://10.0.0.1/",
    "https://167772161/",
    "https://169.254.169.254/latest/meta-data/",
    "https://0xA9FEA9FE/",
    "https://[fe80::1]/",
    "https://[fd00::1]/",
    "https://[64:ff9b::a9fe:a9fe]/",
    "https://[2002:a00:1::]/"
  ])("F45: %s is refused where the MCP server is not on this machine", (text) => {
    expect(Result.isFailure(remote.check(text))).toBe(true)
  })

  it.each(["http://localhost:9/", "http://127.0.0.1:9/", "http://[::1]:9/", "https://auth.example.com/"])(
    "an MCP server on this machine may name %s",
    (text) => {
      expect(Result.isSuccess(local.check(text))).toBe(true)
    }
  )

  it.each(["https://10.0.0.1/", "https://169.254.169.254/", "https://0.0.0.0/", "http://0.0.0.0/"])(
    "F45: an MCP server on this machine may not name %s",
    (text) => {
      expect(Result.isFailure(local.check(text))).toBe(true)
    }
  )

  it("says nothing of the URL in the rule", () => {
    const result = remote.check("https://ada:hunter2@auth.example.com/")
    expect(Result.isFailure(result) && result.failure).toBe("contains a user name or a password")
  })

  it("lets the origin of the MCP server, and those a runtime trusts, be inside a network, and nothing beside them", () => {
    const policy = UrlPolicy.make({
      serverUrl: new URL("https://mcp.corp.example/mcp"),
      trustedOrigins: ["https://login.corp.example"]
    })
    expect(policy.allows(new URL("https://mcp.corp.example/x"), "10.0.0.1")).toBe(true)
    expect(policy.allows(new URL("https://login.corp.example/token"), "10.0.0.2")).toBe(true)
    expect(policy.allows(new URL("https://mcp.corp.example:8443/x"), "10.0.0.1")).toBe(false)
    expect(policy.allows(new URL("https://other.corp.example/"), "10.0.0.3")).toBe(false)
  })

  it.effect.prop(
    "a name that means this machine is never found anywhere else",
    { a: Octet, b: Octet, c: Octet, d: Octet },
    ({ a, b, c, d }) =>
      Effect.sync(() => {
        expect(local.allows(new URL("http://localhost:1/"), `${a}.${b}.${c}.${d}`)).toBe(a === 127)
      }),
    { arbitrary: { runs: 1_000 } }
  )
})
