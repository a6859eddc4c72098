/** What an entry of a native file may not say, and where the mistake is. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { describe, expect, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { FILE, reasonFor } from "./nativeEntry.ts"

layer(NodeServices.layer)("native", (it) => {
  describe("a wrong type says where, and what was expected", () => {
    for (const [entry, expected] of [
      ["5", '4:12 (mcpServers.bad): expected an object with "url" or "command"'],
      ['{ "url": 5 }', "4:21 (mcpServers.bad.url): expected a string with a URL; put it in double quotes"],
      ['{ "url": "https://b", "headers": [] }', "4:45 (mcpServers.bad.headers): expected an object of strings"],
      ['{ "url": "https://b", "headers": { "X": null } }', "4:52 (mcpServers.bad.headers.X): expected a string"],
      [
        '{ "url": "https://b", "timeout": "5s" }',
        "4:45 (mcpServers.bad.timeout): expected a whole number of milliseconds from 100 to 600000"
      ],
      ['{ "url": "https://b", "type": "ftp" }', '4:42 (mcpServers.bad.type): expected "http", "sse" or "stdio"'],
      [
        '{ "url": "https://b", "headersHelper": { "timeout": 100 } }',
        '4:51 (mcpServers.bad.headersHelper): expected the key "command"'
      ],
      [
        '{ "url": "https://b", "headersHelper": { "command": [] } }',
        '4:64 (mcpServers.bad.headersHelper.command): expected a command: a list of strings such as ["node", "./headers.js"], or a string for the shell'
      ],
      [
        '{ "url": "https://b", "headersHelper": { "command": [""] } }',
        '4:64 (mcpServers.bad.headersHelper.command): expected a command: a list of strings such as ["node", "./headers.js"], or a string for the shell'
      ],
      [
        '{ "url": "https://b", "headersHelper": { "command": " " } }',
        '4:64 (mcpServers.bad.headersHelper.command): expected a command: a list of strings such as ["node", "./headers.js"], or a string for the shell'
      ],
      [
        '{ "url": "https://b", "headersHelper": { "command": ["a", 5] } }',
        "4:70 (mcpServers.bad.headersHelper.command[1]): expected a string without NUL characters; put it in double quotes"
      ],
      [
        '{ "url": "https://b", "headersHelper": { "command": "a", "timeout": 99 } }',
        "4:80 (mcpServers.bad.headersHelper.timeout): expected a whole number of milliseconds from 100 to 120000"
      ],
      [
        '{ "url": "https://b", "headersHelper": { "command": "a", "timeout": 120001 } }',
        "4:80 (mcpServers.bad.headersHelper.timeout): expected a whole number of milliseconds from 100 to 120000"
      ],
      [
        '{ "url": "https://b", "headersHelper": { "command": "a", "timeout": 100.5 } }',
        "4:80 (mcpServers.bad.headersHelper.timeout): expected a whole number of milliseconds from 100 to 120000"
      ],
      [
        '{ "url": "https://b", "headersHelper": { "command": "a", "cache": "daily" } }',
        '4:78 (mcpServers.bad.headersHelper.cache): expected "never", "expires" or a whole number of seconds from 1 to 86400'
      ],
      [
        '{ "url": "https://b", "headersHelper": { "command": "a", "onFailure": "open" } }',
        '4:82 (mcpServers.bad.headersHelper.onFailure): expected "fail" or "static"'
      ],
      [
        '{ "url": "https://b", "headersHelper": { "command": "a", "environment": { "A=B": "x" } } }',
        '4:93 (mcpServers.bad.headersHelper.environment["A=B"]): expected a variable name without = and NUL characters'
      ],
      [
        '{ "url": "https://b", "headersHelper": 5 }',
        '4:51 (mcpServers.bad.headersHelper): expected an object such as { "command": ["node", "./headers.js"], "timeout": 10000 }, or a command for the shell'
      ],
      ['{ "command": ["npx"] }', "4:25 (mcpServers.bad.command): expected a string with the name of a program"],
      ['{ "command": "npx", "args": "-y" }', "4:40 (mcpServers.bad.args): expected a list of strings"]
    ] as const) {
      it.effect(entry, () =>
        Effect.gen(function* () {
          expect(yield* reasonFor(entry)).toBe(expected)
        })
      )
    }
  })

  describe("url and command", () => {
    for (const [entry, expected] of [
      [
        "{}",
        '4:5 (mcpServers.bad): expected "url" or "command"; add the URL of the server, or the program that is the server'
      ],
      [
        '{ "type": "http" }',
        '4:5 (mcpServers.bad): expected "url", because "type" is "http"; add the URL of the server'
      ],
      [
        '{ "type": "stdio" }',
        '4:5 (mcpServers.bad): expected "command", because "type" is "stdio"; add the program that is the server'
      ],
      [
        '{ "url": "https://b", "command": "x" }',
        '4:34 (mcpServers.bad.command): expected "url" or "command", and not both; keep the one that is meant and remove the other'
      ],
      [
        '{ "type": "stdio", "url": "https://b" }',
        '4:31 (mcpServers.bad.url): expected "command" instead of "url", because "type" is "stdio"; remove "type", or name a program'
      ],
      [
        '{ "type": "sse", "command": "x" }',
        '4:29 (mcpServers.bad.command): expected "url" instead of "command", because "type" is "sse"; remove "type", or name a URL'
      ],
      ['{ "url": "wss://b" }', "4:21 (mcpServers.bad.url): expected an absolute http:// or https:// URL"],
      ['{ "url": "/mcp" }', "4:21 (mcpServers.bad.url): expected an absolute http:// or https:// URL"],
      ['{ "url": "file://{file:./x}" }', "4:21 (mcpServers.bad.url): expected an absolute http:// or https:// URL"],
      [
        '{ "url": "https://b b/" }',
        "4:21 (mcpServers.bad.url): expected a URL without blanks, line breaks or control characters"
      ],
      [
        '{ "url": "https://me:canary@b" }',
        "4:21 (mcpServers.bad.url): expected a URL without a user name or password; send a credential in a header"
      ],
      [
        '{ "url": "https://me:canary@{file:./host}" }',
        "4:21 (mcpServers.bad.url): expected a URL without a user name or password; send a credential in a header"
      ]
    ] as const) {
      it.effect(entry, () =>
        Effect.gen(function* () {
          expect(yield* reasonFor(entry)).toBe(expected)
        })
      )
    }
  })

  describe("headers are checked by the rules they are sent under", () => {
    for (const [header, expected] of [
      [
        '"Host": "x"',
        '4:47 (mcpServers.bad.headers.Host): expected a header that an entry may set; "Host" belongs to the protocol; remove it'
      ],
      [
        '"mcp-session-id": "x"',
        '4:47 (mcpServers.bad.headers.mcp-session-id): expected a header that an entry may set; "mcp-session-id" belongs to the protocol; remove it'
      ],
      [
        '"A B": "x"',
        `4:54 (mcpServers.bad.headers["A B"]): expected a header that can be sent: a name is an RFC 9110 token: letters, digits and !#$%&'*+-.^_\`|~`
      ],
      [
        '"X-A": "canary\\n"',
        "4:54 (mcpServers.bad.headers.X-A): expected a header that can be sent: a value has no line break"
      ],
      [
        '"X-A": " canary"',
        "4:54 (mcpServers.bad.headers.X-A): expected a header that can be sent: a value has no blank at its start or end"
      ],
      [
        '"X-A": "1", "x-a": "2"',
        `4:59 (mcpServers.bad.headers.x-a): expected each header once: names compare without regard to case; keep this one or the one at ${FILE}:4:47 (mcpServers.bad.headers.X-A)`
      ]
    ] as const) {
      it.effect(header, () =>
        Effect.gen(function* () {
          expect(yield* reasonFor(`{ "url": "https://b", "headers": { ${header} } }`)).toBe(expected)
        })
      )
    }

    it.effect("a header without text is not an error: it is not sent", () =>
      Effect.gen(function* () {
        expect(yield* reasonFor(`{ "url": "https://b", "headers": { "X-A": "", "X-B": "\${V:-}" } }`)).toBe("")
      })
    )
  })
})
