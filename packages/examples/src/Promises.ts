/** A runtime without Effect: the same layers behind promises. */
import { createLetterhead, RefusedError } from "letterhead"

/** Calls a tool in several sessions at once, over one connection, for one user. */
export const callInSessions = async (
  config: string,
  server: string,
  tool: string,
  sessions: ReadonlyArray<string>
): Promise<ReadonlyArray<unknown>> => {
  await using letterhead = createLetterhead({
    config,
    hooks: [
      {
        name: "session",
        "mcp.call.before": (input, output) => {
          output.headers["X-Session"] = input.sessionID
        }
      }
    ]
  })
  await using connection = await letterhead.connect(server, { principal: "ada" })
  try {
    return await Promise.all(sessions.map((session) => connection.callTool(tool, {}, { session })))
  } catch (error) {
    // Errors are classes with codes that stay; what they say never holds a credential.
    if (error instanceof RefusedError) throw new Error(`sign in again: ${error.message}`, { cause: error })
    throw error
  }
}
