/** The help that was asked for, on standard output. What is wrong with a command line is for `ErrorReport` to say. */
import * as CliOutput from "effect/cli/CliOutput"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Output } from "./Output.ts"
import { plain } from "./Style.ts"

export const layer: Layer.Layer<never, never, Output> = Layer.effect(
  CliOutput.Presenter,
  Effect.map(Output, (output) => {
    const formatter = CliOutput.defaultFormatter({ colors: output.style !== plain, globalFlags: "summary" })
    return {
      present: (event: CliOutput.Presenter.Event) => {
        if (event._tag === "Version") return output.print(`${event.name} ${event.version}`)
        // A group without its verb is an error, and its help is asked for by name.
        if (event._tag === "InvalidInvocation" || (event.reason === "Implicit" && event.commandPath.length > 1)) {
          return Effect.void
        }
        return output.print(formatter.formatHelpDoc(event.helpDoc))
      }
    }
  })
)
