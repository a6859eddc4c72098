/** The process that measures resolving alone, so that nothing else taught the compiler; tells its parent the rows. */
import { resolving } from "./Resolving.ts"

const [rounds] = process.argv.slice(2)
process.send?.({ rows: await resolving(rounds === undefined ? {} : { rounds: Number(rounds) }) })
process.disconnect?.()
