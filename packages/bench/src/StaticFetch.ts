/**
 * The fetch on which Letterhead's requests are written, without a source behind it.
 *
 * A client over this with static headers is what the same client with Letterhead is compared with: what is left of the
 * difference is what the headers of each call cost.
 */
import * as HttpExchange from "@letterhead/mcp/http/HttpExchange"
import { DEFAULTS } from "@letterhead/mcp/http/HttpLimits"
import * as HttpRequest from "@letterhead/mcp/http/HttpRequest"
import { Agent } from "undici"

const agent = new Agent({ headersTimeout: 0, bodyTimeout: 0 })

export const staticFetch = async (input: string | URL | Request, init: RequestInit = {}): Promise<Response> => {
  const { origin, pathname, search } = new URL(input instanceof Request ? input.url : input)
  const request = await HttpRequest.of(init)
  return HttpExchange.send(agent, {
    origin,
    path: pathname + search,
    method: request.method,
    fields: HttpRequest.fieldsOf(request, undefined),
    body: request.body,
    signals: init.signal === undefined || init.signal === null ? [] : [init.signal],
    limit: DEFAULTS.answer,
    silence: 0
  })
}
