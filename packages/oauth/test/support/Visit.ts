/** One request to a listener of this machine, with any method, host and path. */
import * as Effect from "effect/Effect"
import * as Http from "node:http"

export interface Visit {
  readonly status: number
  readonly headers: Http.IncomingHttpHeaders
  readonly body: string
}

/** Does not keep the connection; fails where nobody listens. */
export const visit = (
  address: string,
  { headers = {}, method = "GET", path }: { method?: string; headers?: Http.OutgoingHttpHeaders; path?: string } = {}
): Effect.Effect<Visit, Error> =>
  Effect.callback((resume) => {
    const { hostname, pathname, port, search } = new URL(address)
    const request = Http.request(
      {
        hostname: hostname.replace(/^\[|\]$/g, ""),
        port,
        path: path ?? `${pathname}${search}`,
        method,
        headers,
        agent: false
      },
      (response) => {
        const chunks: Array<string> = []
        response.setEncoding("utf8")
        response.on("data", (chunk: string) => chunks.push(chunk))
        response.on("error", (error) => resume(Effect.fail(error)))
        response.on("end", () =>
          resume(Effect.succeed({ status: response.statusCode ?? 0, headers: response.headers, body: chunks.join("") }))
        )
      }
    )
    request.on("error", (error) => resume(Effect.fail(error)))
    request.end()
    return Effect.sync(() => request.destroy())
  })

/** An address with these parameters. */
export const withQuery = (address: string, parameters: Record<string, string>): string =>
  `${address}?${new URLSearchParams(parameters).toString()}`
