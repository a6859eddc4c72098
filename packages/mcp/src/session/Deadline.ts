/** What the end of a connection waits for, and no longer than it is worth. */

/** Milliseconds that the last cancellations may take to arrive, and ending the session at the server. */
export const CLOSE_TIMEOUT = 2_000

/** Waits for a promise, whatever comes of it, and no longer than so many milliseconds. */
export const within = async (milliseconds: number, promise: Promise<unknown> | undefined): Promise<void> => {
  if (promise === undefined) return
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, milliseconds)
  })
  await Promise.race([promise.catch(() => {}), late])
  clearTimeout(timer)
}
