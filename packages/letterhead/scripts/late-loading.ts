/**
 * Plug-ins that move work from the start of the bundled command to the moment it is needed.
 *
 * Loading is most of what a short command takes, and Effect's modules load these parts of Node whether or not a verb
 * uses them. In the checkout nothing is changed; the bundle behaves the same, later.
 */
import type { Plugin } from "rolldown"

const LATE = "\0late:"

/**
 * Replaces parts of Node, by name, by functions and classes that load them when one of them is used.
 *
 * Whatever else a module imports from there, such as a constant, is missing from the replacement and fails the build.
 */
export const lateBuiltins = (...builtins: ReadonlyArray<string>): Plugin => ({
  name: "late-builtins",
  resolveId: (id) => (builtins.includes(id) ? LATE + id : undefined),
  load: (id) => {
    if (!id.startsWith(LATE)) return undefined
    const builtin = id.slice(LATE.length)
    const names = Object.entries(process.getBuiltinModule(builtin) ?? {}).flatMap(([name, value]) =>
      typeof value === "function" ? [name] : []
    )
    return {
      code: `
        const load = () => process.getBuiltinModule(${JSON.stringify(builtin)})
        const late = (name) => new Proxy(function () {}, {
          apply: (_, self, input) => Reflect.apply(load()[name], self, input),
          construct: (_, input) => Reflect.construct(load()[name], input),
          get: (_, key) => load()[name][key]
        })
        ${names.map((name) => `export const ${name} = /* @__PURE__ */ late(${JSON.stringify(name)})`).join("\n")}
      `,
      moduleSideEffects: false
    }
  }
})

const CLI_OUTPUT = /[\\/]effect[\\/]dist[\\/]cli[\\/]CliOutput\.js$/
const SEGMENTER = /const graphemeSegmenter = (\/\*#__PURE__\*\/)?\s*new Intl\.Segmenter\(([^)]*)\);/

/** Visible ASCII, the dots between parts of a line, dashes, bullets and ellipses: each is a grapheme, whatever is near. */
const SINGLE = /^[\x20-\x7e\xb7\u2010-\u2027]*$/

/** Makes Effect's segmenter of graphemes when there is a text to segment that needs one: making it takes 9 ms. */
export const lateSegmenter: Plugin = {
  name: "late-segmenter",
  transform: (code, id) => {
    if (!CLI_OUTPUT.test(id)) return undefined
    if (!SEGMENTER.test(code)) throw new Error(`${id} makes its segmenter in another way now: see to late-loading.ts`)
    return code.replace(
      SEGMENTER,
      `let segmenter
       const graphemeSegmenter = {
         segment: (text) => ${SINGLE}.test(text)
           ? Array.from(text, (segment) => ({ segment }))
           : (segmenter ??= new Intl.Segmenter($2)).segment(text)
       };`
    )
  }
}
