/** Reads MCP configuration files, with positions, into server entries. */
export * as ConfigLayer from "./ConfigLayer.ts"
