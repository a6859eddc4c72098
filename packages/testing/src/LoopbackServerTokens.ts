/**
 * The bearer tokens that a loopback server accepts at this moment.
 *
 * A test accepts tokens itself, or lets a helper process register what it issues by appending lines to a file:
 * `TOKEN EXPIRY`, the expiry in epoch milliseconds, each line ended by a line feed. The real clock decides, also under
 * a test clock, because the process that wrote the expiry knows no other.
 */
import * as FileSystem from "node:fs"

export class TokenList {
  private readonly file: string | undefined
  private readonly accepted = new Map<string, number>()
  private readonly withdrawn = new Set<string>()

  constructor(file: string | undefined) {
    this.file = file
  }

  /** Accepts a token until `expiresAt`, in epoch milliseconds; default for ever. */
  accept(token: string, expiresAt = Number.POSITIVE_INFINITY): void {
    this.withdrawn.delete(token)
    this.accepted.set(token, expiresAt)
  }

  /** From now on no token that is known by now is accepted; ones that are registered later are. */
  expireAll(): void {
    for (const token of this.expiries().keys()) this.withdrawn.add(token)
  }

  /** Whether the value of an Authorization field carries an accepted token. */
  accepts(authorization: string | undefined): boolean {
    const token = /^Bearer ([^\s]+)$/i.exec(authorization ?? "")?.[1]
    if (token === undefined || this.withdrawn.has(token)) return false
    const expiry = this.expiries().get(token)
    return expiry !== undefined && Date.now() < expiry
  }

  private expiries(): ReadonlyMap<string, number> {
    return new Map([...this.registered(), ...this.accepted])
  }

  private registered(): ReadonlyArray<readonly [token: string, expiresAt: number]> {
    if (this.file === undefined || !FileSystem.existsSync(this.file)) return []
    const lines = FileSystem.readFileSync(this.file, "utf8").split("\n")
    // What follows the last line feed is a line that is still being written.
    return lines.slice(0, -1).flatMap((line) => {
      const [token, expiry] = line.split(" ")
      return token === undefined || expiry === undefined ? [] : [[token, Number(expiry)] as const]
    })
  }
}

/** The line that registers a token in the file. */
export const tokenLine = (token: string, expiresAt: number): string => `${token} ${expiresAt}\n`
