/** A trust subject as it is shown to the person who decides. */
import type { TrustSubject } from "@letterhead/core/trust/TrustSubject"
import { displayWidth } from "effect/cli/CliOutput"
import { printableLine } from "./Printable.ts"
import type { Style } from "./Style.ts"

/** For `--json`. */
export const linesOf = (subject: TrustSubject) => subject.lines.map(([label, value]) => ({ label, value }))

/** Every line of the subject and every file it covers; nothing is left out or shortened. */
export const describeSubject = (subject: TrustSubject, style: Style): string => {
  const rows = [
    ...subject.lines.map(([label, value]) => [label, value] as const),
    ...subject.files.map((file) => ["file", `${file.path}  sha256:${file.sha256}`] as const),
    ["digest", subject.digest] as const
  ]
  const width = Math.max(...rows.map(([label]) => displayWidth(label)))
  return rows
    .map(
      ([label, value]) =>
        `  ${style.dim(printableLine(label))}${" ".repeat(width - displayWidth(label) + 2)}${printableLine(value)}`
    )
    .join("\n")
}

/** What an approval does not cover. */
export const LIMITS =
  "What these files and programs load further (libraries, other files, other programs) is not covered."
