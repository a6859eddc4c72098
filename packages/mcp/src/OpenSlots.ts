/**
 * A list that values enter and leave in any order, many thousand times a second.
 *
 * What a runtime holds for each call of it decides what calls cost: a `Set`, a `Map` or a list of listeners leaves behind
 * what was taken out of it, each piece of it referring to the next, until the next full garbage collection. With 32 calls
 * at a time that took a third of all calls. An array whose last value fills the gap leaves nothing behind.
 */
export interface Slot<A> {
  readonly value: A
  index: number
}

export class OpenSlots<A> {
  readonly #slots: Array<Slot<A>> = []

  get size(): number {
    return this.#slots.length
  }

  /** Enters; what it returns is for {@link leave}. */
  enter(value: A): Slot<A> {
    const slot = { value, index: this.#slots.length }
    this.#slots.push(slot)
    return slot
  }

  /** Leaves; whether it was still there. */
  leave(slot: Slot<A>): boolean {
    if (this.#slots[slot.index] !== slot) return false
    const last = this.#slots.pop()
    if (last !== undefined && last !== slot) {
      this.#slots[slot.index] = last
      last.index = slot.index
    }
    return true
  }

  /** Those that are there now, in no order. */
  slots(): ReadonlyArray<Slot<A>> {
    return this.#slots.slice()
  }
}
