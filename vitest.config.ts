// Vitest 5 looks for this name; editors do too.
export { default } from "./vitest.workspace.ts"
