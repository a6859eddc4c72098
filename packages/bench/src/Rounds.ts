/**
 * Measures contestants against each other: in each round all of them one after the other, in turns from either end.
 *
 * What else the machine does then hits all of them alike. What is said of one is the median of its rounds, and of two
 * the median of what the rounds gave, each compared within itself.
 */
import type { ClientProgram } from "./ChildPrograms.ts"
import { median } from "./Median.ts"
import type { Measurement, Task } from "./Task.ts"

/** One line of a table: what a program does in every round. */
export interface Contestant {
  readonly name: string
  readonly program: ClientProgram
  readonly task: Task
}

export class Rounds {
  readonly #measured = new Map<string, Array<Measurement>>()

  /** One more round: each contestant does its task once. */
  async add(contestants: ReadonlyArray<Contestant>, round: number): Promise<void> {
    for (const { name, program, task } of round % 2 === 0 ? contestants : contestants.toReversed()) {
      const measurement = await program.perform(task)
      const measured = this.#measured.get(name)
      if (measured === undefined) this.#measured.set(name, [measurement])
      else measured.push(measurement)
    }
  }

  /** In the order they were first measured. */
  get names(): ReadonlyArray<string> {
    return [...this.#measured.keys()]
  }

  /** The median of a figure; not a number where it was not measured. */
  figure(name: string, figure: Figure): number {
    return median(this.#figures(name, figure))
  }

  /** The median of what a figure is to that of another contestant in the same round. */
  compared(name: string, other: string, figure: Figure, compare: (a: number, b: number) => number): number {
    const others = this.#figures(other, figure)
    return median(this.#figures(name, figure).map((value, round) => compare(value, others[round] ?? Number.NaN)))
  }

  #figures(name: string, figure: Figure): ReadonlyArray<number> {
    return (this.#measured.get(name) ?? []).map(figure)
  }
}

export type Figure = (measurement: Measurement) => number

/** Microseconds from one answer to the next. */
export const perCall: Figure = ({ elapsed, count }) => elapsed / count
/** Microseconds from a call to its answer. */
export const latency: Figure = (measurement) => measurement.latency
/** Microseconds of processor time that a call took. */
export const processor: Figure = ({ processor: used, count }) => used / count
/** Bytes of heap. */
export const heap: Figure = (measurement) => measurement.heap
