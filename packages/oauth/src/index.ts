/**
 * OAuth for MCP servers: sign in once, stay signed in.
 *
 * Each module is also a subpath of the package, such as `@letterhead/oauth/SignIn`.
 */
export * as AuthorizationAnswer from "./AuthorizationAnswer.ts"
export * as BrowserLauncher from "./BrowserLauncher.ts"
export * as BrowserSignIn from "./BrowserSignIn.ts"
export * as CallbackListener from "./CallbackListener.ts"
export * as CallbackPage from "./CallbackPage.ts"
export * as DevicePrompt from "./DevicePrompt.ts"
export * as ForeignText from "./ForeignText.ts"
export * as OAuthFetch from "./OAuthFetch.ts"
export * as PastedRedirect from "./PastedRedirect.ts"
export * as SignIn from "./SignIn.ts"
export * as SignInPrompt from "./SignInPrompt.ts"
export * as UrlPolicy from "./UrlPolicy.ts"
export * as WebAddress from "./WebAddress.ts"
