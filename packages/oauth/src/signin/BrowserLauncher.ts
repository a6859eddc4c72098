/**
 * Opens an address in the person's browser, with the program that their system has for it.
 *
 * No shell is involved, not on any system: the address is one argument of a program that is named by its absolute path,
 * and can be no option (see `WebAddress`). The program inherits the runtime's environment, which tells it of the screen.
 * It is left alone afterwards: where no browser ran before, it may be the browser.
 *
 * The address is in the program's argument list, which others on this machine can read. It holds the state and the
 * challenge of the sign-in, and neither is of use without the verifier, which stays in this process.
 */
import * as Executable from "@letterhead/core/helper/Executable"
import { Environment } from "@letterhead/core/server/Environment"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import * as ChildProcess from "effect/process/ChildProcess"
import { ChildProcessSpawner } from "effect/process/ChildProcessSpawner"
import type { WebAddress } from "./WebAddress.ts"

/** Milliseconds in which a program that fails says so; one that still runs has opened something. */
export const LAUNCH_LIMIT = 3_000

/** No browser was opened; the person can still open the address. */
export class BrowserMissing extends Data.TaggedError("BrowserMissing")<{ readonly description: string }> {
  override get message(): string {
    return `no browser was opened: ${this.description}`
  }
}

export class BrowserLauncher extends Context.Service<
  BrowserLauncher,
  {
    /** Returns once a program has taken the address; whether it is shown, only the person knows. */
    readonly open: (address: WebAddress) => Effect.Effect<void, BrowserMissing>
  }
>()("@letterhead/oauth/signin/BrowserLauncher") {}

type Requirements = ChildProcessSpawner | FileSystem.FileSystem | Path.Path

/** For a system, as Node names it; the environment is the one that the layer is built with. */
export const layerFor = (platform: NodeJS.Platform): Layer.Layer<BrowserLauncher, never, Requirements> =>
  Layer.effect(
    BrowserLauncher,
    Effect.map(Effect.context<Requirements>(), (services) => {
      const own = Context.pick(ChildProcessSpawner, FileSystem.FileSystem, Path.Path, Environment)(services)
      return {
        open: Effect.fn("BrowserLauncher.open")((address: WebAddress) =>
          Effect.provideContext(launch(platform, address), own)
        )
      }
    })
  )

/** For the system that this program runs on. */
export const layer: Layer.Layer<BrowserLauncher, never, Requirements> = Layer.suspend(() => layerFor(process.platform))

const launch = Effect.fnUntraced(function* (
  platform: NodeJS.Platform,
  address: WebAddress
): Effect.fn.Return<void, BrowserMissing, Requirements> {
  const environment = yield* Environment
  const [command, ...options] = yield* programOf(platform, environment)
  const file = yield* Executable.resolve(command, { environment, directory: undefined }).pipe(
    Effect.mapError((error) => new BrowserMissing({ description: error.message }))
  )
  const program = ChildProcess.make(file, [...options, address], {
    env: { ...environment },
    stdin: "ignore",
    stdout: "ignore",
    stderr: "ignore"
  })
  // Once it is let go of, the end of the scope does not end it.
  const code = yield* Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const child = yield* program
      yield* Effect.asVoid(child.unref)
      return yield* restore(Effect.timeoutOption(child.exitCode, LAUNCH_LIMIT))
    })
  ).pipe(
    Effect.scoped,
    Effect.mapError(() => new BrowserMissing({ description: `${file} could not be run` }))
  )
  const failed = Option.getOrElse(code, () => 0)
  return yield* failed === 0 ? Effect.void : new BrowserMissing({ description: `${file} exited with ${failed}` })
})

/** The program that opens what it is given, and the options before that. */
const programOf = (
  platform: NodeJS.Platform,
  environment: Environment
): Effect.Effect<readonly [string, ...ReadonlyArray<string>], BrowserMissing> => {
  switch (platform) {
    case "darwin":
      return Effect.succeed(["/usr/bin/open"])
    case "win32":
      return Effect.succeed([
        `${environment["SystemRoot"] ?? "C:\\Windows"}\\System32\\rundll32.exe`,
        "url.dll,FileProtocolHandler"
      ])
    default:
      // Without a screen xdg-open starts a browser for terminals, which has none here.
      return SCREENS.some((name) => environment[name])
        ? Effect.succeed(["xdg-open"])
        : Effect.fail(new BrowserMissing({ description: "this machine has no screen (DISPLAY is not set)" }))
  }
}

/** One of them tells a program of the system where it can show something. */
const SCREENS = ["DISPLAY", "WAYLAND_DISPLAY", "BROWSER"]
