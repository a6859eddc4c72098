/**
 * The lines of what a program writes, chunk by chunk, in bounded memory.
 *
 * A line that is longer than the limit is given at once, cut; the rest of it is dropped.
 */

export interface StdioLine {
  /** Without its line break. */
  readonly text: string
  /** Whether it was longer than the limit. */
  readonly cut: boolean
}

const LINE_FEED = 10

export class StdioLines {
  readonly #limit: number
  readonly #chunks: Array<Uint8Array> = []
  #length = 0
  /** The rest of a line that was cut is still coming. */
  #dropping = false

  /** `limit`: bytes of a line. */
  constructor(limit: number) {
    this.#limit = limit
  }

  /** The lines that are complete, or too long, with this chunk. */
  push(chunk: Uint8Array): ReadonlyArray<StdioLine> {
    const lines: Array<StdioLine> = []
    let start = 0
    for (let end = chunk.indexOf(LINE_FEED); end !== -1; end = chunk.indexOf(LINE_FEED, start)) {
      this.#add(chunk.subarray(start, end), lines)
      if (!this.#dropping) lines.push(this.#take(false))
      this.#dropping = false
      start = end + 1
    }
    this.#add(chunk.subarray(start), lines)
    return lines
  }

  /** What came after the last line break, where there is anything. */
  end(): ReadonlyArray<StdioLine> {
    return this.#length === 0 ? [] : [this.#take(false)]
  }

  #add(part: Uint8Array, lines: Array<StdioLine>): void {
    if (this.#dropping || part.length === 0) return
    const room = this.#limit - this.#length
    // Copied where it stays: a chunk may be a view of much more.
    this.#chunks.push(part.slice(0, room))
    this.#length += Math.min(part.length, room)
    if (part.length <= room) return
    lines.push(this.#take(true))
    this.#dropping = true
  }

  #take(cut: boolean): StdioLine {
    const bytes = new Uint8Array(this.#length)
    let offset = 0
    for (const chunk of this.#chunks) {
      bytes.set(chunk, offset)
      offset += chunk.length
    }
    this.#chunks.length = 0
    this.#length = 0
    const text = new TextDecoder().decode(bytes)
    return { text: text.endsWith("\r") ? text.slice(0, -1) : text, cut }
  }
}
