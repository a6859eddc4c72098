/** A browser in which somebody agrees to everything: a program in the place of `xdg-open` that goes where it is sent. */
import { chmodSync, mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import type { Person } from "./Command.ts"

/** The variables by which the command finds it. */
export const install = ({ env, home }: Person): Effect.Effect<{ readonly PATH: string; readonly DISPLAY: string }> =>
  Effect.sync(() => {
    const programs = join(home, "bin")
    mkdirSync(programs)
    const follow = `fetch(process.argv[1]).then((answer) => answer.text())`
    writeFileSync(join(programs, "xdg-open"), `#!/bin/sh\nexec '${process.execPath}' -e '${follow}' "$1"\n`)
    chmodSync(join(programs, "xdg-open"), 0o755)
    return { PATH: `${programs}:${env["PATH"]}`, DISPLAY: ":99" }
  })
