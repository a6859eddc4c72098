/** The `letterhead` command, put together from its {@link Verbs}. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodePath from "@effect/platform-node/NodePath"
import * as NodeStdio from "@effect/platform-node/NodeStdio"
import * as CliConfig from "effect/cli/CliConfig"
import * as Command from "effect/cli/Command"
import * as GlobalFlag from "effect/cli/GlobalFlag"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ChildProcessSpawner from "effect/process/ChildProcessSpawner"
import { report } from "./ErrorReport.ts"
import { ExitCode } from "./ExitCode.ts"
import * as HelpPresenter from "./HelpPresenter.ts"
import { Invocation, wantsJson } from "./Invocation.ts"
import * as LateTerminal from "./LateTerminal.ts"
import * as Output from "./Output.ts"
import * as Settings from "./Settings.ts"
import * as StderrLogger from "./StderrLogger.ts"
import * as Verbs from "./Verbs.ts"

const commandWith = (verbs: ReadonlyArray<Verbs.Verb>) =>
  Command.make("letterhead").pipe(
    Command.withDescription("The right HTTP headers on every call to a remote MCP server"),
    Command.withSubcommands(verbs),
    Command.provide(Settings.layer),
    Command.withGlobalFlags(Settings.flags)
  )

/** Runs the command, and ends the process with its exit code. */
export const run = (invocation: Invocation["Service"]): void => {
  let signals = 0
  let code: number = ExitCode.interrupted
  // The first signal ends the run in order: helpers are killed, sessions closed. Who cannot wait sends it again.
  const onSignal = (signalCode: number) => () => {
    code = signalCode
    if (++signals > 1) process.exit(code)
  }
  process.on("SIGINT", onSignal(ExitCode.interrupted))
  process.on("SIGTERM", onSignal(ExitCode.terminated))
  const main = Effect.map(program(invocation), (result) => {
    code = result
  })
  NodeRuntime.runMain(main, { disableErrorReporting: true, teardown: () => endWith(code) })
}

const program = (invocation: Invocation["Service"]): Effect.Effect<number> =>
  Effect.promise(() => Verbs.load(invocation.arguments)).pipe(
    Effect.flatMap((verbs) =>
      Command.runWith(commandWith(verbs), { version: invocation.version, renderErrors: true })(invocation.arguments)
    ),
    Effect.as(ExitCode.done),
    Effect.catchCause(report),
    Effect.provide(
      Layer.merge(StderrLogger.layer, HelpPresenter.layer).pipe(
        Layer.provideMerge(
          Output.layer({ json: wantsJson(invocation.arguments), environment: invocation.environment })
        ),
        Layer.merge(Layer.succeed(Invocation, invocation)),
        Layer.merge(CliConfig.layer({ builtIns: [GlobalFlag.Help, GlobalFlag.Version, GlobalFlag.Completions] })),
        Layer.merge(platform)
      )
    )
  )

/** What effect/cli takes from Node. It starts no process itself; what a verb starts, it starts with its own layer. */
const platform = Layer.mergeAll(
  NodeFileSystem.layer,
  NodePath.layer,
  NodeStdio.layer,
  LateTerminal.layer,
  Layer.succeed(
    ChildProcessSpawner.ChildProcessSpawner,
    ChildProcessSpawner.make(() => Effect.die(new Error("the command line starts no process")))
  )
)

/** Ends the process once all that was written is out; nothing that still lingers, such as a socket, delays it. */
const endWith = (code: number): void => {
  process.stderr.write("", () => process.stdout.write("", () => process.exit(code)))
}
