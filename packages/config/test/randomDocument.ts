/** Random documents that look like configurations of one dialect or several, and often are none. */

/** Numbers from 0 to below 1, the same for the same seed. */
export const randomFrom = (seed: number): (() => number) => {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

/** Stands for whatever a configuration holds that no message may show. */
export const CANARY = "canary-d0c5"

const KEYS = [
  ..."mcpServers mcp servers config plugin backends outgoingAuth default headerInjection headerPassthrough".split(" "),
  ..."passthroughHeaders headerName headerValue headerValueEnv headers headersHelper command args env type".split(" "),
  ..."url name serverUrl serverType userConfig access_token API_KEY credentials storage extends hooks auth".split(" "),
  ..."oauth timeout enabled disabled transport source environment as credential override required sensitive".split(" "),
  ..."X-Api-Key Authorization __proto__ constructor toString".split(" "),
  "",
  "\u0007"
]

const SCALARS: ReadonlyArray<unknown> = [
  ..."http sse stdio remote local streamable-http header_passthrough header_injection unauthenticated".split(" "),
  ..."inline discovered none oauth auto filesystem x-mcp-api-key Authorization mcp-session-id".split(" "),
  "https://a.example/mcp",
  "${VAR}",
  "${SET:-d}",
  "{env:SET}",
  "{file:./x}",
  "${",
  "{file:}",
  `Bearer ${CANARY}`,
  `https://user:${CANARY}@a.example`,
  `${CANARY}\r\n`,
  "",
  "\u0000",
  0,
  -1,
  5_000,
  1e308,
  Number.NaN,
  true,
  false,
  null
]

export const randomDocument = (random: () => number, depth = 6): unknown => {
  const pick = <A>(items: ReadonlyArray<A>): A | undefined => items[Math.floor(random() * items.length)]
  const kind = random()
  if (depth === 0 || kind < 0.25) return pick(SCALARS)
  const count = Math.floor(random() * 5)
  if (kind < 0.4) return Array.from({ length: count }, () => randomDocument(random, depth - 1))
  const value: Record<string, unknown> = Object.create(null)
  for (let index = 0; index < count + 1; index++) value[pick(KEYS) ?? ""] = randomDocument(random, depth - 1)
  return value
}
