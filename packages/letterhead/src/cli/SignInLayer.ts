/** How the person at this terminal signs in: in the browser of this machine, or by pasting what another one shows. */
import * as NodeChildProcessSpawner from "@effect/platform-node/NodeChildProcessSpawner"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodePath from "@effect/platform-node/NodePath"
import { Environment } from "@letterhead/core/server/Environment"
import * as BrowserLauncher from "@letterhead/oauth/signin/BrowserLauncher"
import * as BrowserSignIn from "@letterhead/oauth/signin/BrowserSignIn"
import * as PastedRedirect from "@letterhead/oauth/signin/PastedRedirect"
import type { SignIn } from "@letterhead/oauth/signin/SignIn"
import { SignInPrompt, text } from "@letterhead/oauth/signin/SignInPrompt"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type * as Terminal from "effect/Terminal"
import { Invocation } from "./Invocation.ts"
import { Output } from "./Output.ts"
import { printable } from "./Printable.ts"
import { questions } from "./TypedLine.ts"

/** Where nobody looks at standard error, nothing is shown there that somebody would have to follow; a program is told. */
const prompt: Layer.Layer<never, never, Output | Terminal.Terminal> = Layer.effect(
  SignInPrompt,
  Effect.gen(function* () {
    const output = yield* Output
    const context = yield* Effect.context<Output | Terminal.Terminal>()
    const show: SignInPrompt["show"] = (notice) =>
      output.aside(
        output.json
          ? JSON.stringify({
              signIn: {
                step: notice._tag,
                ...("address" in notice ? { address: notice.address } : {}),
                message: text(notice)
              }
            })
          : printable(text(notice))
      )
    // What is pasted holds a code, and is longer than a terminal takes as one line: it is read key by key.
    const ask: SignInPrompt["ask"] = (question) =>
      Effect.flatMap(questions, (put) => put({ text: question.replace(/: ?$/, ""), hidden: true })).pipe(
        Effect.map((line) => (line === "" ? Option.none() : Option.some(Redacted.make(line)))),
        Effect.scoped,
        Effect.provideContext(context)
      )
    return {
      ...(process.stderr.isTTY || output.json ? { show } : {}),
      ...(process.stderr.isTTY ? {} : { isSeen: false }),
      ...(output.canAsk ? { ask } : {})
    }
  })
)

/** With the browser of this machine, or with any other where `browser` is false. */
export const layer = (browser: boolean): Layer.Layer<SignIn, never, Invocation | Output | Terminal.Terminal> =>
  browser
    ? BrowserSignIn.layer.pipe(
        Layer.provide(BrowserLauncher.layer),
        Layer.provide(
          Layer.provideMerge(NodeChildProcessSpawner.layer, Layer.merge(NodeFileSystem.layer, NodePath.layer))
        ),
        Layer.provide(
          Layer.effect(
            Environment,
            Effect.map(Invocation, ({ environment }) => environment)
          )
        ),
        Layer.provide(prompt)
      )
    : Layer.provide(PastedRedirect.layer, prompt)
