/** A program named xdg-open in a folder of the test's own writes down how it is called. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { Environment } from "@letterhead/core/server/Environment"
import * as BrowserLauncher from "@letterhead/oauth/signin/BrowserLauncher"
import * as WebAddress from "@letterhead/oauth/signin/WebAddress"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Path from "effect/Path"
import * as PlatformError from "effect/PlatformError"
import { ChildProcessSpawner, make as makeSpawner } from "effect/process/ChildProcessSpawner"
import * as Result from "effect/Result"

const FIXTURE = `${import.meta.dirname}/fixtures/browser.sh`

const addressOf = (text: string) => Result.getOrThrow(WebAddress.make(text))
const ADDRESS = addressOf("https://issuer.example/authorize")

/** A folder with the program in it, and what it wrote. */
const desktop = Effect.gen(function* () {
  const files = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const folder = yield* files.makeTempDirectoryScoped()
  yield* files.copyFile(FIXTURE, path.join(folder, "xdg-open"))
  yield* files.chmod(path.join(folder, "xdg-open"), 0o755)
  const record = path.join(folder, "record")
  return {
    folder,
    record: Effect.map(files.readFileString(record), (text) => text.split("\n")),
    opened: files.exists(record),
    environment: { PATH: `${folder}:/usr/bin:/bin`, DISPLAY: ":7", LAUNCH_RECORD: record }
  }
})

const open = (environment: Environment, address = ADDRESS, platform: NodeJS.Platform = "linux") =>
  Effect.flatMap(BrowserLauncher.BrowserLauncher, (launcher) => launcher.open(address)).pipe(
    Effect.provide(Layer.provide(BrowserLauncher.layerFor(platform), Layer.succeed(Environment, environment)))
  )

describe("opening a browser", () => {
  it.live.each([
    "https://issuer.example/authorize?state=a&scope=b%20c",
    "https://issuer.example/$(touch${IFS}pwned)/`touch pwned`;touch pwned|touch pwned&&touch pwned#'x",
    'https://issuer.example/"; touch pwned; "?--version=%s&$HOME=%27*',
    "http://127.0.0.1:1/a?b=c\nd\te"
  ])("F74: the address is one argument, as it is, and no shell sees it: %j", (text) =>
    Effect.gen(function* () {
      const { environment, folder, record } = yield* desktop
      const address = addressOf(text)
      yield* open(environment, address)
      assert.deepStrictEqual((yield* record).slice(0, 3), ["1", address, "DISPLAY=:7"])
      const left = yield* Effect.flatMap(FileSystem.FileSystem, (files) => files.readDirectory(folder))
      assert.sameMembers(left, ["xdg-open", "record"])
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))
  )

  it.live("a program that fails is no browser, and is named with its code", () =>
    Effect.gen(function* () {
      const { environment, folder } = yield* desktop
      const error = yield* Effect.flip(open({ ...environment, LAUNCH_CODE: "3" }))
      assert.strictEqual(error.description, `${folder}/xdg-open exited with 3`)
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))
  )

  it.live("without a program, a screen, or an absolute folder in PATH there is no browser", () =>
    Effect.gen(function* () {
      const { environment, folder, opened } = yield* desktop
      assert.match(
        (yield* Effect.flip(open({ ...environment, PATH: "/nowhere" }))).description,
        /xdg-open was not found/
      )
      assert.match((yield* Effect.flip(open({ ...environment, DISPLAY: undefined }))).description, /has no screen/)
      assert.match((yield* Effect.flip(open({ ...environment, DISPLAY: "" }))).description, /has no screen/)
      const relative = { ...environment, PATH: `.:${folder.slice(1)}:` }
      assert.match((yield* Effect.flip(open(relative))).description, /xdg-open was not found/)
      assert.isFalse(yield* opened)
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))
  )

  it.live("an error does not show the address", () =>
    Effect.gen(function* () {
      const { environment } = yield* desktop
      const error = yield* Effect.flip(
        open({ ...environment, LAUNCH_CODE: "1" }, addressOf("https://issuer.example/?state=SECRET"))
      )
      assert.notInclude(JSON.stringify(error) + error.message, "SECRET")
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))
  )

  it.live("a program that is the browser itself is taken for opened, and outlives the sign-in", () =>
    Effect.gen(function* () {
      const { environment, folder, opened } = yield* desktop
      const files = yield* FileSystem.FileSystem
      const stays = `#!/bin/sh\necho $$ > "$LAUNCH_RECORD"\nexec sleep 60\n`
      yield* files.writeFileString(`${folder}/xdg-open`, stays)
      yield* Effect.scoped(open(environment))
      assert.isTrue(yield* opened)
      const pid = Number(yield* files.readFileString(environment.LAUNCH_RECORD))
      assert.isTrue(process.kill(pid, 0))
      process.kill(pid, "SIGKILL")
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))
  )

  it.live("on macOS it is the system's own program, wherever PATH leads", () =>
    Effect.gen(function* () {
      const { environment, opened } = yield* desktop
      const error = yield* Effect.flip(Effect.provide(open(environment, ADDRESS, "darwin"), nothingRuns))
      assert.include(error.description, "/usr/bin/open")
      assert.isFalse(yield* opened)
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))
  )
})

/** The system's own program is not started by a test. */
const nothingRuns = Layer.succeed(
  ChildProcessSpawner,
  makeSpawner(() =>
    Effect.fail(PlatformError.systemError({ _tag: "Unknown", module: "test", method: "spawn", description: "not run" }))
  )
)
