/**
 * A language model that needs no network: it calls the tools that a question names, on every server that has one, and
 * then repeats what they said. A runtime puts the layer of its provider in its place.
 */
import * as LanguageModel from "effect/ai/LanguageModel"
import type * as Prompt from "effect/ai/Prompt"
import type * as Response from "effect/ai/Response"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"

export const layer: Layer.Layer<LanguageModel.LanguageModel> = Layer.effect(
  LanguageModel.LanguageModel,
  LanguageModel.make({
    generateText: ({ prompt, tools }) =>
      Effect.sync(() => [
        ...reply(
          prompt,
          tools.map(({ name }) => name)
        ),
        FINISHED
      ]),
    streamText: () => Stream.empty
  })
)

const reply = ({ content }: Prompt.Prompt, tools: ReadonlyArray<string>): Array<Response.PartEncoded> => {
  const last = content.at(-1)
  if (last?.role === "tool") {
    const said = last.content.map((part) => (part.type === "tool-result" ? `${part.name}: ${String(part.result)}` : ""))
    return [{ type: "text", text: said.join("\n") }]
  }
  const question = textOf(last)
  return tools
    .filter((name) => question.includes(name.slice(name.indexOf("_") + 1)))
    .map((name, index) => ({ type: "tool-call", id: `call-${index}`, name, params: { question } }))
}

const textOf = (message: Prompt.Message | undefined): string =>
  message?.role === "user" ? message.content.map((part) => (part.type === "text" ? part.text : "")).join("") : ""

const FINISHED = {
  type: "finish",
  reason: "stop",
  usage: { inputTokens: {}, outputTokens: {} }
} as const
