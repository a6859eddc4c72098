/**
 * Letterhead's core: header fields and where they come from, on `effect` alone.
 *
 * Each module is also a subpath of the package, such as `@letterhead/core/HeaderResolver`; start-up time counts, so
 * programs import those.
 */
export * as CallContext from "./call/CallContext.ts"
export * as HeaderError from "./headers/HeaderError.ts"
export * as HeaderField from "./headers/HeaderField.ts"
export * as HeaderPatch from "./headers/HeaderPatch.ts"
export * as ResolvedHeaders from "./headers/ResolvedHeaders.ts"
export * as HeaderResolver from "./HeaderResolver.ts"
export * as HelperOutput from "./helper/HelperOutput.ts"
export * as HelperRunner from "./helper/HelperRunner.ts"
export * as ConfigError from "./server/ConfigError.ts"
export * as Environment from "./server/Environment.ts"
export * as McpConfig from "./server/McpConfig.ts"
export * as ServerEntry from "./server/ServerEntry.ts"
export * as Template from "./server/Template.ts"
export * as ServerUrl from "./server/ServerUrl.ts"
export * as HeaderSource from "./sources/HeaderSource.ts"
export * as HeaderSources from "./sources/HeaderSources.ts"
export * as HelperSource from "./sources/HelperSource.ts"
export * as HookModule from "./sources/HookModule.ts"
export * as HookSource from "./sources/HookSource.ts"
export * as StaticSource from "./sources/StaticSource.ts"
export * as TrustGate from "./trust/TrustGate.ts"
export * as TrustStore from "./trust/TrustStore.ts"
export * as TrustSubject from "./trust/TrustSubject.ts"
