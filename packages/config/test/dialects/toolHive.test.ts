import * as NodeServices from "@effect/platform-node/NodeServices"
import { expect, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as ConfigFolder from "../ConfigFolder.ts"

const FILE = "repository/gateway.yaml"

const BACKENDS = `name: my-vmcp
groupRef: my-group
incomingAuth: { type: anonymous }
backends:
  - { name: one, url: https://one.example.com/mcp, transport: streamable-http }
  - { name: two, url: https://two.example.com/sse, transport: sse, metadata: { env: prod } }
`

const strategy = (more: string) =>
  `{ type: token_exchange, tokenExchange: { tokenUrl: "https://idp.corp/token", clientId: vmcp, ${more} } }`

layer(NodeServices.layer)("toolHive", (it) => {
  it.effect("a bare type applies to every backend, as the request has it", () =>
    Effect.gen(function* () {
      const folder = yield* ConfigFolder.make
      yield* folder.write(
        FILE,
        `${BACKENDS}outgoingAuth:
  type: header_passthrough
  headerPassthrough:
    headers:
      - x-mcp-api-key
      - x-mcp-auth
`
      )
      const config = yield* folder.file(FILE.replace("repository/", ""))
      expect(config.warnings).toEqual([])
      for (const [name, transport] of [
        ["one", "http"],
        ["two", "sse"]
      ] as const) {
        expect(yield* config.get(name)).toMatchObject({
          endpoint: { transport },
          auth: "none",
          headers: [],
          passthrough: [
            { name: "x-mcp-api-key", as: "x-mcp-api-key", required: false, credential: false, override: false },
            { name: "x-mcp-auth", place: { line: 12, column: 9, path: "outgoingAuth.headerPassthrough.headers[1]" } }
          ]
        })
      }
    })
  )

  it.effect("strategies by backend before the default, a variable by name, and headers for all beside them", () =>
    Effect.gen(function* () {
      const folder = yield* ConfigFolder.make
      yield* folder.write(
        FILE,
        `${BACKENDS}passthroughHeaders: [x-mcp-api-key, X_Tenant]
outgoingAuth:
  source: inline
  default: { type: unauthenticated }
  backends:
    one:
      type: header_injection
      headerInjection: { headerName: Authorization, headerValueEnv: ONE_TOKEN }
`
      )
      const config = yield* folder.file("gateway.yaml", { ONE_TOKEN: "t" })
      expect(yield* config.get("one")).toMatchObject({
        headers: [
          {
            name: "Authorization",
            value: { parts: [{ _tag: "Variable", name: "ONE_TOKEN" }] },
            place: { line: 14, path: "outgoingAuth.backends.one.headerInjection.headerValueEnv" }
          }
        ],
        passthrough: [{ name: "x-mcp-api-key" }, { name: "X_Tenant", place: { path: "passthroughHeaders[1]" } }]
      })
      expect(yield* config.get("two")).toMatchObject({ headers: [], passthrough: [{}, {}] })
      const unset = yield* folder.file("gateway.yaml")
      expect(ConfigFolder.skips(unset, folder.root)).toEqual([
        expect.stringContaining(
          "(outgoingAuth.backends.one.headerInjection.headerValueEnv): the environment variable ONE_TOKEN is not set"
        )
      ])
    })
  )

  it.effect("a value is plain text, whatever it looks like", () =>
    Effect.gen(function* () {
      const folder = yield* ConfigFolder.make
      yield* folder.write(
        FILE,
        `${BACKENDS}outgoingAuth: { default: { type: header_injection, headerInjection: { headerName: X-A, headerValue: "\${HOME}$$" } } }`
      )
      const [header] = (yield* (yield* folder.file("gateway.yaml")).get("one")).headers
      expect(header?.value.parts).toEqual([{ _tag: "Text", text: "${HOME}$$" }])
    })
  )

  it.effect("a strategy that is not supported skips its backend by name, and the others go on", () =>
    Effect.gen(function* () {
      const folder = yield* ConfigFolder.make
      yield* folder.write(
        FILE,
        `${BACKENDS}outgoingAuth:
  default: { type: unauthenticated }
  backends:
    two: { type: upstream_inject, upstreamInject: { providerName: github } }
`
      )
      const config = yield* folder.file("gateway.yaml")
      expect([...config.servers.keys()]).toEqual(["one"])
      expect(ConfigFolder.skips(config, folder.root)).toEqual([
        `two: ${FILE}:10:18 (outgoingAuth.backends.two.type): expected "unauthenticated", "header_injection", "header_passthrough" or "token_exchange"; no other strategy is supported`
      ])
      yield* folder.write(
        FILE,
        `${BACKENDS}outgoingAuth: { source: discovered, backends: { two: { type: unauthenticated } } }`
      )
      const discovered = yield* folder.file("gateway.yaml")
      expect([...discovered.servers.keys()]).toEqual(["two"])
      expect(ConfigFolder.skips(discovered, folder.root)[0]).toContain(
        "what is discovered in Kubernetes is not known here"
      )
    })
  )

  it.effect("token_exchange is how the token of whoever calls is exchanged", () =>
    Effect.gen(function* () {
      const folder = yield* ConfigFolder.make
      yield* folder.write(
        FILE,
        `${BACKENDS}outgoingAuth:
  backends:
    one: ${strategy("clientSecretEnv: SECRET, audience: one, scopes: [read], subjectTokenType: jwt")}
    two: ${strategy("clientSecret: a, clientSecretEnv: SECRET")}
`
      )
      const config = yield* folder.file("gateway.yaml", { SECRET: "s" })
      expect(yield* config.get("one")).toMatchObject({
        auth: "oauth",
        oauth: {
          clientId: { source: "vmcp" },
          clientSecret: { parts: [{ _tag: "Variable", name: "SECRET" }] },
          scopes: ["read"],
          exchange: {
            tokenUrl: "https://idp.corp/token",
            audience: "one",
            subjectTokenType: "urn:ietf:params:oauth:token-type:jwt"
          }
        }
      })
      expect(ConfigFolder.skips(config, folder.root)).toEqual([
        expect.stringContaining('expected "clientSecret" or "clientSecretEnv", and not both')
      ])
      const unset = yield* folder.file("gateway.yaml")
      expect(ConfigFolder.skips(unset, folder.root)[0]).toContain(
        "(outgoingAuth.backends.one.tokenExchange.clientSecretEnv): the environment variable SECRET is not set"
      )
    })
  )

  it.effect("Authorization and Cookie may be listed without more, with a warning; what the protocol owns may not", () =>
    Effect.gen(function* () {
      const folder = yield* ConfigFolder.make
      yield* folder.write(FILE, `${BACKENDS}passthroughHeaders: [authorization, x-a]`)
      const config = yield* folder.file("gateway.yaml")
      expect((yield* config.get("one")).passthrough[0]).toMatchObject({ name: "authorization", credential: true })
      expect(ConfigFolder.warnings(config, folder.root)).toEqual([
        `${FILE}:7:22 (passthroughHeaders[0]): "authorization" of whoever calls is let through to every server that this applies to; make sure that each of them may have it`
      ])
      for (const name of [
        "mcp-session-id",
        "Mcp_Session_Id",
        "host",
        "x-forwarded-for",
        "proxy-authorization",
        '"a b"'
      ]) {
        yield* folder.write(FILE, `${BACKENDS}passthroughHeaders: [${name}]`)
        expect([...(yield* folder.file("gateway.yaml")).servers.keys()]).toEqual([])
      }
    })
  )

  it.effect("a header that is injected and let through is a conflict that names both places", () =>
    Effect.gen(function* () {
      const folder = yield* ConfigFolder.make
      yield* folder.write(
        FILE,
        `${BACKENDS}passthroughHeaders: [x-api-key]
outgoingAuth:
  backends:
    one: { type: header_injection, headerInjection: { headerName: X-API-Key, headerValue: secret-canary } }
`
      )
      const config = yield* folder.file("gateway.yaml")
      expect([...config.servers.keys()]).toEqual(["two"])
      expect(ConfigFolder.skips(config, folder.root)).toEqual([
        `one: ${FILE}:7:22 (passthroughHeaders[0]): the header x-api-key comes from ${FILE}:10:78 (outgoingAuth.backends.one.headerInjection.headerValue) too; remove one of them, or say here "override": true to prefer what comes in`
      ])
    })
  )
})
