/** Every request of a test server, in the order received, each with the status it was answered with. */
import type * as Http from "node:http"
import * as RecordedRequest from "./RecordedRequest.ts"

interface Line {
  readonly request: RecordedRequest.RecordedRequest
  /** Held until the answer is complete. */
  response: Http.ServerResponse | undefined
  status: number | undefined
}

export class RequestLog {
  private lines: Array<Line> = []
  /** Those that are not answered to the end, whether or not their lines are forgotten. */
  private readonly open = new Map<Http.ServerResponse, RecordedRequest.RecordedRequest>()

  /** Notes a request; its status follows the response. */
  add(request: Http.IncomingMessage, response: Http.ServerResponse, body: string): RecordedRequest.RecordedRequest {
    const line: Line = { request: RecordedRequest.read(request, body), response, status: undefined }
    this.lines.push(line)
    this.open.set(response, line.request)
    response.once("close", () => {
      line.status = statusOf(response)
      line.response = undefined
      this.open.delete(response)
    })
    return line.request
  }

  list(): ReadonlyArray<RecordedRequest.RecordedRequest> {
    return this.lines.map((line) => {
      const status = line.response === undefined ? line.status : statusOf(line.response)
      return status === undefined ? line.request : { ...line.request, status }
    })
  }

  /** The answers that are not complete, of the requests that the predicate accepts. */
  answering(when: (request: RecordedRequest.RecordedRequest) => boolean): ReadonlyArray<Http.ServerResponse> {
    return [...this.open].flatMap(([response, request]) => (when(request) ? [response] : []))
  }

  clear(): void {
    this.lines = []
  }
}

const statusOf = (response: Http.ServerResponse): number | undefined =>
  response.headersSent ? response.statusCode : undefined
