/**
 * A program of its own that speaks to the keychain of the operating system.
 *
 * Calls into a keychain block the thread they are made on, even where a library calls them asynchronous: a D-Bus that
 * accepts and never answers holds one for ever, and neither a timer nor the end of the process gets through. Here such
 * a call holds nobody else, and can be killed.
 *
 * Started with the name of the service as its argument; reads one JSON object per line from standard input and answers
 * each with one on standard output, in order. Values stand in those lines and nowhere else. Ends with its input.
 *
 * On Linux it speaks to the Secret Service and to nothing else: the kernel's keyring, which `@napi-rs/keyring` would
 * take in its place, forgets everything when the machine restarts.
 */
import { createInterface } from "node:readline"
import { Entry } from "@napi-rs/keyring"

export type KeychainRequest =
  | { readonly id: number; readonly verb: "get" | "delete"; readonly account: string }
  | { readonly id: number; readonly verb: "set"; readonly account: string; readonly value: string }

export type KeychainReply =
  | { readonly id: number; readonly value: string | null }
  | { readonly id: number; readonly done: boolean }
  | { readonly id: number; readonly failed: KeychainFailure }

/** What is said of a failure: never the text of the keychain's own exception. */
export type KeychainFailure = "locked" | "absent" | "failed"

const answer = (service: string, request: KeychainRequest): KeychainReply => {
  const { account, id } = request
  try {
    const entry = new Entry(service, account, { linux: { store: "secret-service" } })
    if (request.verb === "set") {
      entry.setSecret(Buffer.from(request.value, "utf8"))
      return { id, done: true }
    }
    if (request.verb === "delete") return { id, done: entry.deleteCredential() }
    // Unlike getPassword, it throws where the keychain is locked.
    const bytes = entry.getSecret()
    return { id, value: bytes === null ? null : Buffer.from(bytes).toString("utf8") }
  } catch (failure) {
    return { id, failed: kindOf(failure) }
  }
}

const kindOf = (failure: unknown): KeychainFailure => {
  const text = failure instanceof Error ? failure.message : ""
  if (/prompt|locked|interaction|denied/i.test(text)) return "locked"
  return /dbus|no result found|unavailable|not supported|no default store/i.test(text) ? "absent" : "failed"
}

const serve = (service: string): void => {
  const lines = createInterface({ input: process.stdin })
  lines.on("line", (line) => {
    const request: KeychainRequest = JSON.parse(line)
    process.stdout.write(`${JSON.stringify(answer(service, request))}\n`)
  })
}

// A program that only imports this module is not it.
if (process.argv[1] === import.meta.filename) serve(process.argv[2] ?? "")
