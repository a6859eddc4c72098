/**
 * Types for the authors of hook modules: `import type { McpCallBefore } from "letterhead/hook"`.
 *
 * Types only, so that a hook module loads nothing of Letterhead.
 */
export type { HookInput, HookOutput, HookPlugin, McpCallBefore } from "@letterhead/core/sources/HookModule"
