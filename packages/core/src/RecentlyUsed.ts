/**
 * What is remembered for each of many, within bounds: a runtime with ever new principals would otherwise remember each.
 *
 * Where there are too many, the one that was used longest ago is forgotten. One that may not be forgotten yet, such as
 * while a request of it is under way, stays: as many may be too many as are in use.
 */

/** Entries that are kept at most, unless somebody says otherwise. */
export const CAPACITY = 1_000

export interface RecentlyUsed<A> {
  /** What is remembered under a name, which is used by that. */
  readonly get: (name: string) => A | undefined
  readonly set: (name: string, value: A) => void
  readonly delete: (name: string) => void
  readonly values: () => Iterable<A>
}

export const make = <A>(
  options: {
    /** Default: {@link CAPACITY}. */
    readonly capacity?: number
    /** Whether one may be forgotten. Default: each. */
    readonly isIdle?: (value: A) => boolean
  } = {}
): RecentlyUsed<A> => {
  const { capacity = CAPACITY, isIdle = () => true } = options
  /** What was used last comes last. */
  const kept = new Map<string, A>()
  let last: string | undefined

  const use = (name: string, value: A): void => {
    kept.delete(name)
    kept.set(name, value)
    last = name
  }

  return {
    get: (name) => {
      const value = kept.get(name)
      if (value !== undefined && name !== last) use(name, value)
      return value
    },
    set: (name, value) => {
      use(name, value)
      if (kept.size <= capacity) return
      for (const [other, value] of kept) {
        if (other !== name && isIdle(value)) {
          kept.delete(other)
          if (kept.size <= capacity) return
        }
      }
    },
    delete: (name) => {
      kept.delete(name)
      if (last === name) last = undefined
    },
    values: () => kept.values()
  }
}
