import * as NodeServices from "@effect/platform-node/NodeServices"
import { describe, expect, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as ConfigFolder from "../ConfigFolder.ts"
import { FILE, reasonFor } from "./nativeEntry.ts"

layer(NodeServices.layer)("native", (it) => {
  it.effect("an entry says all that the documentation lists, with the place of each thing", () =>
    Effect.gen(function* () {
      const folder = yield* ConfigFolder.make
      yield* folder.write("home/.config/letterhead/hooks/session.js", "export default {}")
      const source = yield* folder.write(
        FILE,
        `{
  "$schema": "https://example.com/schema.json",
  "mcpServers": {
    "linear": {
      "type": "http",
      "url": "https://mcp.example.com/\${TENANT:-acme}",
      "headers": { "X-Api-Key": "\${KEY}" },
      "headersHelper": {
        "command": ["node", "./headers.js", ""],
        "environment": { "PROFILE": "prod" },
        "timeout": 20000,
        "retry": { "times": 2 },
        "passEnv": ["HTTPS_PROXY"],
        "cache": 60,
        "onFailure": "static",
        "files": ["./lib/auth.js"]
      },
      "auth": "auto",
      "timeout": 5000
    },
    "files": { "command": "mcp-server-fs", "args": ["--root", "/tmp"], "env": { "LOG_LEVEL": "debug" } }
  },
  "hooks": ["./hooks/session.js"],
  "credentials": { "storage": "auto" }
}`
      )
      const config = yield* folder.discover({}, { KEY: "secret" })
      expect(config.warnings).toEqual([])
      const linear = yield* config.get("linear")
      expect(linear).toMatchObject({
        name: "linear",
        origin: { scope: "user", source, directory: folder.configDirectory },
        place: { file: source, line: 4, column: 5, path: "mcpServers.linear" },
        endpoint: { type: "http", transport: "http", url: { source: "https://mcp.example.com/${TENANT:-acme}" } },
        headers: [
          {
            name: "X-Api-Key",
            value: { source: "${KEY}" },
            place: { line: 7, column: 20, path: "mcpServers.linear.headers.X-Api-Key" }
          }
        ],
        helper: {
          command: ["node", "./headers.js", ""],
          environment: new Map([["PROFILE", { source: "prod", parts: [{ _tag: "Text", text: "prod" }] }]]),
          timeout: 20_000,
          retry: { times: 2, delay: 200 },
          passEnv: ["HTTPS_PROXY"],
          cache: 60,
          onFailure: "static",
          files: ["./lib/auth.js"],
          place: { line: 8, column: 7, path: "mcpServers.linear.headersHelper" }
        },
        hooks: [
          {
            path: `${folder.configDirectory}/hooks/session.js`,
            place: { line: 23, column: 13, path: "hooks[0]" }
          }
        ],
        connectTimeout: 5_000
      })
      const files = yield* config.get("files")
      expect(files.endpoint).toMatchObject({ type: "stdio", command: "mcp-server-fs", args: ["--root", "/tmp"] })
      expect(files.hooks).toEqual([])
    })
  )

  it.effect("what an entry does not say has the documented default", () =>
    Effect.gen(function* () {
      const folder = yield* ConfigFolder.make
      yield* folder.write(FILE, { mcpServers: { a: { url: "https://a.example", headersHelper: "echo '{}'" } } })
      const entry = yield* (yield* folder.discover()).get("a")
      expect(entry).toMatchObject({ endpoint: { transport: "auto" }, headers: [], hooks: [], connectTimeout: 30_000 })
      expect(entry.helper).toMatchObject({
        command: "echo '{}'",
        timeout: 10_000,
        retry: { times: 0, delay: 200 },
        passEnv: [],
        cache: "never",
        onFailure: "fail"
      })
      expect(entry.helper?.files).toBeUndefined()
    })
  )

  describe("what an entry says is never left out silently", () => {
    it.effect("auth says whether OAuth may be used, and oauth how", () =>
      Effect.gen(function* () {
        const folder = yield* ConfigFolder.make
        yield* folder.write(FILE, {
          mcpServers: {
            plain: { url: "https://a" },
            forced: { url: "https://a", auth: "oauth" },
            never: { url: "https://a", auth: "none" },
            client: {
              url: "https://a",
              oauth: { clientId: "${ID}", clientSecret: "${SECRET}", scopes: ["a:read", "b"], callbackPort: 8080 }
            },
            document: { url: "https://a", oauth: { clientMetadataUrl: "https://client.example/client.json" } }
          }
        })
        const config = yield* folder.discover({}, { ID: "id", SECRET: "secret" })
        expect(config.skipped).toEqual([])
        expect(config.warnings).toEqual([])
        expect([...config.servers.values()].map(({ auth }) => auth)).toEqual(["auto", "oauth", "none", "auto", "auto"])
        const { oauth } = yield* config.get("client")
        expect(oauth).toMatchObject({
          clientId: { source: "${ID}" },
          clientSecret: { source: "${SECRET}" },
          scopes: ["a:read", "b"],
          callbackPort: 8080,
          place: { path: "mcpServers.client.oauth" }
        })
        expect((yield* config.get("document")).oauth?.clientMetadataUrl).toBe("https://client.example/client.json")
        expect((yield* config.get("plain")).oauth).toBeUndefined()
      })
    )

    it.effect("a grant says what a token is had for where nobody signs in", () =>
      Effect.gen(function* () {
        const folder = yield* ConfigFolder.make
        const person = {
          grant: "id_jag",
          clientId: "c",
          idToken: "${SECRET}",
          identityProvider: { issuer: "https://idp.example", clientId: "${ID}", clientSecret: "{file:./idp}" }
        }
        yield* folder.write(FILE, {
          mcpServers: {
            person: { url: "https://a", oauth: { grant: "authorization_code", clientId: "c" } },
            secret: {
              url: "https://a",
              oauth: { grant: "client_credentials", clientId: "c", clientSecret: "${SECRET}", issuer: "https://as/" }
            },
            key: {
              url: "https://a",
              oauth: {
                grant: "client_credentials",
                clientId: "c",
                privateKey: "{file:./key.pem}",
                signingAlgorithm: "ES256"
              }
            },
            workload: {
              url: "https://a",
              oauth: { grant: "jwt_bearer", clientId: "c", assertion: "{file:/var/run/secrets/token}" }
            },
            company: { url: "https://a", oauth: person }
          }
        })
        const config = yield* folder.discover({}, { ID: "id", SECRET: "secret" })
        expect(config.skipped).toEqual([])
        expect(config.warnings).toEqual([])
        const grants = [...config.servers.values()].map(({ oauth }) => oauth?.grant)
        expect(grants).toMatchObject([
          undefined,
          { type: "client_credentials", issuer: "https://as/" },
          { type: "client_credentials", key: { privateKey: { source: "{file:./key.pem}" }, algorithm: "ES256" } },
          { type: "jwt_bearer", assertion: { source: "{file:/var/run/secrets/token}" } },
          {
            type: "id_jag",
            idToken: { source: "${SECRET}" },
            identityProvider: {
              issuer: "https://idp.example",
              clientId: { source: "${ID}" },
              clientSecret: { source: "{file:./idp}" }
            }
          }
        ])
      })
    )

    it.effect("a grant that lacks something, or has what belongs to another, is refused at load", () =>
      Effect.gen(function* () {
        const credentials = '"grant": "client_credentials", "clientId": "c"'
        const workload = '"grant": "jwt_bearer", "clientId": "c"'
        const company = '"grant": "id_jag", "clientId": "c"'
        const provider = '"identityProvider": { "issuer": "https://idp", "clientId": "c" }'
        const cases = [
          [
            '"grant": "password"',
            '(mcpServers.bad.oauth.grant): expected "authorization_code", "client_credentials", '
          ],
          ['"grant": "client_credentials"', '(mcpServers.bad.oauth.grant): expected "clientId" beside'],
          [credentials, '"clientSecret" or "privateKey" beside "client_credentials"; add what the client proves'],
          [`${credentials}, "privateKey": "k"`, 'oauth.privateKey): expected "signingAlgorithm" beside it; add'],
          [`${credentials}, "clientSecret": "s", "signingAlgorithm": "ES256"`, 'expected "privateKey" beside it'],
          [`${credentials}, "privateKey": "k", "signingAlgorithm": "HS256"`, "expected an algorithm of JWS"],
          [
            `${credentials}, "clientSecret": "s", "privateKey": "k", "signingAlgorithm": "ES256"`,
            'expected "clientSecret" or this, and not both'
          ],
          [credentials + ', "clientSecret": "${UNSET_SECRET}"', "variable UNSET_SECRET is not set"],
          [
            `${credentials}, "clientSecret": "s", "issuer": "http://as.example"`,
            "oauth.issuer): expected an https URL"
          ],
          [workload, '"assertion" beside "jwt_bearer"; add the JWT'],
          [workload + ', "assertion": "${UNSET_TOKEN}"', "variable UNSET_TOKEN is not set"],
          [company, '"identityProvider" beside "id_jag"'],
          [`${company}, ${provider}`, '"idToken" beside "id_jag"'],
          [
            `${company}, "identityProvider": { "issuer": "https://idp" }`,
            `oauth.identityProvider): expected the key "clientId"`
          ],
          [
            `${company}, "idToken": "t", "identityProvider": { "issuer": "idp", "clientId": "c" }`,
            "(mcpServers.bad.oauth.identityProvider.issuer): expected an https URL"
          ],
          [
            `${credentials}, "clientSecret": "s", "assertion": "a"`,
            'this with the grant "jwt_bearer" only, and not with "client_credentials"; say that in "grant", or remove'
          ],
          [`${workload}, "assertion": "a", "callbackPort": 1`, 'the grant "authorization_code" only'],
          ['"privateKey": "k"', 'not with "authorization_code"'],
          ['"idToken": "t"', 'oauth.idToken): expected this with the grant "id_jag" only']
        ] as const
        for (const [keys, expected] of cases) {
          expect(yield* reasonFor(`{ "url": "https://b", "oauth": { ${keys} } }`)).toContain(expected)
        }
      })
    )

    it.effect("a grant beside auth none is refused at load, since nothing would ever be had for it", () =>
      Effect.gen(function* () {
        const grant = '"grant": "jwt_bearer", "clientId": "c", "assertion": "a"'
        expect(yield* reasonFor(`{ "url": "https://b", "auth": "none", "oauth": { ${grant} } }`)).toContain(
          '(mcpServers.bad.auth): expected "auto" or "oauth" beside the grant "jwt_bearer": with "none" no token is ' +
            'had; set one of them, or remove "grant"'
        )
      })
    )

    it.effect("what no authorization server would take is refused at load", () =>
      Effect.gen(function* () {
        const cases = [
          ['"clientSecret": "s"', '(mcpServers.bad.oauth.clientSecret): expected "clientId" beside it'],
          ['"clientId": "${UNSET_CLIENT}"', "the environment variable UNSET_CLIENT is not set"],
          ['"scopes": ["good", "two words"]', "(mcpServers.bad.oauth.scopes[1]): expected a scope"],
          ['"callbackPort": 65536', "expected a whole number of port from 0 to 65535"],
          ['"clientMetadataUrl": "http://a/c.json"', "expected an https URL with a path"],
          ['"clientMetadataUrl": "https://a"', "expected an https URL with a path"],
          ['"clientMetadataUrl": "https://a/c", "clientId": "i"', 'expected "clientId" or this, and not both']
        ] as const
        for (const [keys, expected] of cases) {
          expect(yield* reasonFor(`{ "url": "https://b", "oauth": { ${keys} } }`)).toContain(expected)
        }
        expect(yield* reasonFor('{ "url": "https://b", "auth": "basic" }')).toBe(
          '4:42 (mcpServers.bad.auth): expected "auto", "oauth" or "none"'
        )
      })
    )

    it.effect("type sse is kept as the transport, so that nobody takes it for another", () =>
      Effect.gen(function* () {
        const folder = yield* ConfigFolder.make
        yield* folder.write(FILE, { mcpServers: { a: { type: "sse", url: "https://a" } } })
        expect((yield* (yield* folder.discover()).get("a")).endpoint).toMatchObject({ transport: "sse" })
      })
    )
  })

  it.effect("a key written twice skips its server; a server written twice is skipped; others go on", () =>
    Effect.gen(function* () {
      const folder = yield* ConfigFolder.make
      yield* folder.write(
        FILE,
        `{ "mcpServers": {\n"a": { "url": "https://a", "url": "https://evil" },\n"b": {},\n"b": { "url": "https://b" },\n"c": { "url": "https://c" } } }`
      )
      const config = yield* folder.discover()
      expect([...config.servers.keys()]).toEqual(["c"])
      expect(ConfigFolder.skips(config, folder.root)).toEqual([
        `a: ${FILE}:2:28 (mcpServers.a.url): the key "url" is written twice; remove one of them`,
        `b: ${FILE}:4:1 (mcpServers.b): the key "b" is written twice; remove one of them`
      ])
    })
  )

  it.effect("hooks that cannot be read fail the document, for none of its servers may be called without them", () =>
    Effect.gen(function* () {
      const folder = yield* ConfigFolder.make
      yield* folder.write(FILE, `{ "mcpServers": { "a": { "url": "https://a" } },\n  "hooks": "./hook.js" }`)
      const config = yield* folder.discover()
      expect(config.servers.size).toBe(0)
      expect(config.failed.map(({ reason }) => reason.message.replace(`${folder.root}/`, ""))).toEqual([
        `${FILE}:2:12 (hooks): expected a list of module files`
      ])
    })
  )

  it.effect("a hook that does not exist is a warning at load", () =>
    Effect.gen(function* () {
      const folder = yield* ConfigFolder.make
      yield* folder.write(FILE, `{ "mcpServers": { "a": { "url": "https://a" } },\n  "hooks": ["./hook.js"] }`)
      const config = yield* folder.discover()
      expect(ConfigFolder.warnings(config, folder.root)).toEqual([
        `${FILE}:2:13 (hooks[0]): the hook home/.config/letterhead/hook.js does not exist, and calls will fail; ` +
          "create it, or remove it here"
      ])
    })
  )

  it.effect("a name that would disturb a terminal is refused and shown escaped", () =>
    Effect.gen(function* () {
      const folder = yield* ConfigFolder.make
      yield* folder.write(FILE, { mcpServers: { "\u001b[31mred": { url: "https://a" }, "": { url: "https://a" } } })
      const config = yield* folder.discover()
      expect(config.skipped.map(({ name }) => name)).toEqual([String.raw`"\u001b[31mred"`, '""'])
      expect(config.skipped.map(({ reason }) => reason.message).join()).not.toContain("\u001b")
    })
  )
})
