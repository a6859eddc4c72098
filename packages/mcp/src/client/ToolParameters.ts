/**
 * Which arguments of a tool a modern server wants repeated in `Mcp-Param-*`, as its lists said last.
 *
 * The SDK would know it from a cached list, which a connection of several sessions does not keep, and it finds out for
 * itself when a server insists; but of several calls that do so at once, all but one fail. So a call is always given a
 * definition: this one, or one without annotations. What sessions see differently under one name corrects itself: the
 * server refuses, and the call asks for the list with its own headers.
 */
import type { Tool } from "@modelcontextprotocol/client"

/** Tools remembered at most, per connection; only those with annotations count. */
const TOOL_LIMIT = 1_000

export class ToolParameters {
  readonly #schemas = new Map<string, Tool["inputSchema"]>()

  /** Takes what a list says about its tools. */
  note(tools: ReadonlyArray<Tool>): void {
    for (const { name, inputSchema } of tools) {
      this.#schemas.delete(name)
      if (JSON.stringify(inputSchema).includes(ANNOTATION)) this.#schemas.set(name, inputSchema)
    }
    for (const name of this.#schemas.keys()) {
      if (this.#schemas.size <= TOOL_LIMIT) break
      this.#schemas.delete(name)
    }
  }

  /** A definition of the tool as far as it concerns its headers. */
  definition(name: string): Tool {
    return { name, inputSchema: this.#schemas.get(name) ?? { type: "object" } }
  }
}

const ANNOTATION = '"x-mcp-header"'
