/** What a tool answered, as text: text plainly, everything else by its name. */
import type { McpConnection } from "@letterhead/mcp/McpConnection"
import type * as Effect from "effect/Effect"
import { printableLine } from "./Printable.ts"

/** A result as the SDK has it. */
export type ToolResult = Effect.Success<ReturnType<McpConnection["callTool"]>>

type Block = ToolResult["content"][number]

/** The answer; where it has structure and no content, the structure as JSON. */
export const render = (result: ToolResult): string =>
  result.content.length === 0 && result.structuredContent !== undefined
    ? JSON.stringify(result.structuredContent, null, 2)
    : result.content.map(block).join("\n")

const block = (content: Block): string => {
  if (content.type === "text") return content.text
  if (content.type === "resource_link") {
    return `[link: ${printableLine(content.name)}, ${printableLine(content.uri)}]`
  }
  if (content.type === "resource") {
    const { resource } = content
    return "text" in resource
      ? resource.text
      : `[resource: ${printableLine(resource.uri)}, ${bytes(resource.blob)} bytes]`
  }
  return `[${content.type}: ${printableLine(content.mimeType)}, ${bytes(content.data)} bytes]`
}

/** Bytes that a base64 text stands for. */
const bytes = (base64: string): number => Buffer.byteLength(base64, "base64")
