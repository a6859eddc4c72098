/**
 * Letterhead's secrets in the keychain of the operating system.
 *
 * Each module is also a subpath of the package, such as `@letterhead/keychain/KeychainStore`.
 */
export * as Keychain from "./Keychain.ts"
export * as KeychainAccount from "./KeychainAccount.ts"
export * as KeychainStore from "./KeychainStore.ts"
