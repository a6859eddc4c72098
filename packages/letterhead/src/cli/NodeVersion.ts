/** Which Node the command runs on: an older one would end with a stack trace about a module it does not have. */

/** What Effect's Node services need, as the package's `engines` says. */
const REQUIRED = [22, 19] as const

/** What to tell a person whose Node is too old, or `undefined` where it is not. */
export const defect = (version: string): string | undefined => {
  const [major = 0, minor = 0] = version.split(".").map(Number)
  const [requiredMajor, requiredMinor] = REQUIRED
  if (major > requiredMajor || (major === requiredMajor && minor >= requiredMinor)) return undefined
  return `letterhead needs Node ${requiredMajor}.${requiredMinor} or newer; this is Node ${version}`
}
