/** The `letterhead` command, put together from its verbs. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as CliConfig from "effect/cli/CliConfig"
import * as Command from "effect/cli/Command"
import * as GlobalFlag from "effect/cli/GlobalFlag"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { call } from "./commands/call.ts"
import { check } from "./commands/config/check.ts"
import { importConfig } from "./commands/config/import.ts"
import { path } from "./commands/config/path.ts"
import { schema } from "./commands/config/schema.ts"
import { list as listCredentials } from "./commands/credential/list.ts"
import { remove } from "./commands/credential/remove.ts"
import { set } from "./commands/credential/set.ts"
import { demo } from "./commands/demo.ts"
import { headers } from "./commands/headers.ts"
import { servers } from "./commands/servers.ts"
import { tools } from "./commands/tools.ts"
import { approve } from "./commands/trust/approve.ts"
import { list } from "./commands/trust/list.ts"
import { revoke } from "./commands/trust/revoke.ts"
import { report } from "./ErrorReport.ts"
import { ExitCode } from "./ExitCode.ts"
import * as HelpPresenter from "./HelpPresenter.ts"
import { Invocation, wantsJson } from "./Invocation.ts"
import * as Output from "./Output.ts"
import * as Settings from "./Settings.ts"
import * as StderrLogger from "./StderrLogger.ts"

const trust = Command.make("trust").pipe(
  Command.withDescription("Decide what may run or be sent for servers that came with a project"),
  Command.withSubcommands([list, approve, revoke])
)

const credential = Command.make("credential").pipe(
  Command.withDescription("Fill in the credentials that servers ask for"),
  Command.withSubcommands([set, listCredentials, remove])
)

const config = Command.make("config").pipe(
  Command.withDescription("Look at the configuration"),
  Command.withSubcommands([path, check, schema, importConfig])
)

const letterhead = Command.make("letterhead").pipe(
  Command.withDescription("The right HTTP headers on every call to a remote MCP server"),
  Command.withSubcommands([demo, servers, tools, call, headers, credential, trust, config]),
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
  Command.runWith(letterhead, { version: invocation.version, renderErrors: true })(invocation.arguments).pipe(
    Effect.as(ExitCode.done),
    Effect.catchCause(report),
    Effect.provide(
      Layer.merge(StderrLogger.layer, HelpPresenter.layer).pipe(
        Layer.provideMerge(
          Output.layer({ json: wantsJson(invocation.arguments), environment: invocation.environment })
        ),
        Layer.merge(Layer.succeed(Invocation, invocation)),
        Layer.merge(CliConfig.layer({ builtIns: [GlobalFlag.Help, GlobalFlag.Version, GlobalFlag.Completions] })),
        Layer.merge(NodeServices.layer)
      )
    )
  )

/** Ends the process once all that was written is out; nothing that still lingers, such as a socket, delays it. */
const endWith = (code: number): void => {
  process.stderr.write("", () => process.stdout.write("", () => process.exit(code)))
}
