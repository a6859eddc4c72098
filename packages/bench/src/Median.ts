/** The middle of what was measured; half way between the two in the middle where there are two. */
export const median = (values: ArrayLike<number>): number => {
  const sorted = Float64Array.from(values).toSorted()
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
}
