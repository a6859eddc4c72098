/**
 * What tests of Letterhead, and of programs built on it, stand on: test servers, fixtures and mock layers.
 *
 * Each module is also a subpath of the package, such as `@letterhead/testing/LoopbackServer`.
 */
export * as EntryFixture from "./EntryFixture.ts"
export * as HelperFixture from "./HelperFixture.ts"
export * as SecretStoreLaws from "./laws/SecretStoreLaws.ts"
export * as TrustStoreLaws from "./laws/TrustStoreLaws.ts"
export * as LoopbackListener from "./LoopbackListener.ts"
export * as LoopbackServer from "./LoopbackServer.ts"
export * as LoopbackServerControls from "./LoopbackServerControls.ts"
export * as LoopbackServerFault from "./LoopbackServerFault.ts"
export * as LoopbackServerTokens from "./LoopbackServerTokens.ts"
export * as LoopbackServerTools from "./LoopbackServerTools.ts"
export * as LoopbackSseServer from "./LoopbackSseServer.ts"
export * as MockHeaderResolver from "./mocks/MockHeaderResolver.ts"
export * as MockHeaderSources from "./mocks/MockHeaderSources.ts"
export * as MockHelperRunner from "./mocks/MockHelperRunner.ts"
export * as MockMcpConfig from "./mocks/MockMcpConfig.ts"
export * as MockMcpTransport from "./mocks/MockMcpTransport.ts"
export * as MockSecretStore from "./mocks/MockSecretStore.ts"
export * as MockTrustGate from "./mocks/MockTrustGate.ts"
export * as MockTrustStore from "./mocks/MockTrustStore.ts"
export * as RecordedRequest from "./RecordedRequest.ts"
export * as RecordingServer from "./RecordingServer.ts"
export * as StdioServerFixture from "./StdioServerFixture.ts"
export * as StdioServerProgram from "./StdioServerProgram.ts"
export * as Waiting from "./Waiting.ts"
