/**
 * A Secret Service of its own for a test: a session bus and an unlocked gnome-keyring in an empty home.
 *
 * Needs dbus-run-session, gnome-keyring-daemon, secret-tool and dbus-send, as Debian packs them in dbus, dbus-bin,
 * gnome-keyring and libsecret-tools.
 */
import { execFile, spawn, spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { until } from "@letterhead/testing/Waiting"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

const PROGRAMS = ["dbus-run-session", "gnome-keyring-daemon", "secret-tool", "dbus-send"]
const missing = PROGRAMS.filter((program) => spawnSync("sh", ["-c", `command -v ${program}`]).status !== 0)

/** Why there is none here, or `undefined`. */
export const unavailable: string | undefined =
  process.platform !== "linux"
    ? "this is not Linux"
    : missing.length > 0
      ? `there is no ${missing.join(", ")} on this machine`
      : undefined

export interface SecretService {
  /** What leads a program to it. */
  readonly environment: Readonly<Record<string, string>>
  /** Runs one of the platform's own tools; its standard output and error. */
  readonly tool: (command: string, args: ReadonlyArray<string>, input?: string) => Effect.Effect<string>
  /** Locks it, and sees to it that it is locked. */
  readonly lock: Effect.Effect<void>
  /** Ends it at once; also done when the scope closes. */
  readonly kill: Effect.Effect<void>
}

/** A folder that is gone when the test is. */
export const temporaryDirectory: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => realpathSync(mkdtempSync(join(tmpdir(), "letterhead-keychain-")))),
  (directory) => Effect.sync(() => rmSync(directory, { recursive: true, force: true }))
)

/** An environment in which nothing leads to a keychain. */
export const bareEnvironment = (home: string): Readonly<Record<string, string>> => ({
  PATH: process.env["PATH"] ?? "",
  HOME: home
})

/**
 * The configuration of a session bus at `path`.
 *
 * The usual one starts a keyring when somebody asks for one before ours has come: that one is empty and locked, and
 * holds the name for as long as the bus lives.
 */
const busThatStartsNothing = (path: string): string => `<!DOCTYPE busconfig PUBLIC
 "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path=${path}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
`

export const start: Effect.Effect<SecretService, never, Scope.Scope> = Effect.gen(function* () {
  const home = yield* temporaryDirectory
  const runtime = join(home, "runtime")
  mkdirSync(runtime, { mode: 0o700 })
  const base = { ...bareEnvironment(home), XDG_RUNTIME_DIR: runtime }
  const bus = join(home, "bus.conf")
  writeFileSync(bus, busThatStartsNothing(join(runtime, "bus")))
  // The bus is told nothing of a display: a keyring that wants to ask somebody finds nobody.
  const script =
    'echo "$DBUS_SESSION_BUS_ADDRESS"; exec gnome-keyring-daemon --foreground --unlock --components=secrets'
  const { address, kill } = yield* Effect.acquireRelease(
    Effect.callback<{ readonly address: string; readonly kill: Effect.Effect<void> }>((resume) => {
      const child = spawn("dbus-run-session", [`--config-file=${bus}`, "--", "sh", "-c", script], {
        env: base,
        stdio: ["pipe", "pipe", "ignore"],
        detached: true
      })
      const { pid } = child
      let closed = false
      const closing = new Promise<void>((resolve) => {
        child.once("close", () => {
          closed = true
          resolve()
        })
      })
      const kill = Effect.promise(async () => {
        if (closed || pid === undefined) return
        process.kill(-pid, "SIGKILL")
        await closing
      })
      let said = ""
      child.stdout.on("data", (chunk: Buffer) => {
        said += chunk.toString()
        const line = /^(unix:\S+)\n/.exec(said)?.[1]
        if (line !== undefined) resume(Effect.succeed({ address: line, kill }))
      })
      child.stdin.on("error", () => undefined)
      child.stdin.end("the password of the keyring")
    }),
    ({ kill }) => kill
  )
  const environment = { ...base, DBUS_SESSION_BUS_ADDRESS: address }
  const tool: SecretService["tool"] = (command, args, input = "") =>
    Effect.callback((resume) => {
      const child = execFile(command, args, { env: environment }, (_, stdout, stderr) =>
        resume(Effect.succeed(stdout + stderr))
      )
      // One that reads no input may be gone before it is written.
      child.stdin?.on("error", () => undefined)
      child.stdin?.end(input)
    })
  const send = (path: string, method: string, args: ReadonlyArray<string>) =>
    tool("dbus-send", ["--session", "--print-reply", "--dest=org.freedesktop.secrets", path, method, ...args])
  const isUp = Effect.map(send(PATH, "org.freedesktop.Secret.Service.ReadAlias", ["string:default"]), (said) =>
    said.includes(COLLECTION)
  )
  yield* until(isUp)
  // Once, on a busy machine, it was asked for and was not there: it is asked for until it is.
  const isLocked = Effect.andThen(
    send(PATH, "org.freedesktop.Secret.Service.Lock", [`array:objpath:${COLLECTION}`]),
    Effect.map(
      send(COLLECTION, "org.freedesktop.DBus.Properties.Get", [
        "string:org.freedesktop.Secret.Collection",
        "string:Locked"
      ]),
      (said) => said.includes("boolean true")
    )
  )
  return {
    environment,
    tool,
    kill,
    lock: Effect.asVoid(until(isLocked))
  }
})

const PATH = "/org/freedesktop/secrets"
const COLLECTION = "/org/freedesktop/secrets/collection/login"
