import * as NodeServices from "@effect/platform-node/NodeServices"
import { expect, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import { execFile } from "node:child_process"
import { promisify } from "node:util"
import * as ConfigFolder from "./ConfigFolder.ts"
import * as DocumentReader from "../src/DocumentReader.ts"

const execute = promisify(execFile)

const message = (file: string) =>
  Effect.map(Effect.result(DocumentReader.read(file)), (result) =>
    Result.isFailure(result) ? result.failure.message.slice(file.length) : "no error"
  )

/** A JSON text of so many bytes. */
const text = (bytes: number) => `"${"a".repeat(bytes - 2)}"`

layer(NodeServices.layer)("DocumentReader", (it) => {
  it.effect("a missing file is no document, and so is one below a file", () =>
    Effect.gen(function* () {
      const folder = yield* ConfigFolder.make
      const file = yield* folder.write("a.json", {})
      expect(Option.isNone(yield* DocumentReader.read(`${folder.root}/missing.json`))).toBe(true)
      expect(Option.isNone(yield* DocumentReader.read(`${file}/b.json`))).toBe(true)
    })
  )

  it.effect("a folder is refused", () =>
    Effect.gen(function* () {
      const folder = yield* ConfigFolder.make
      expect(yield* message(folder.home)).toBe(": is a folder; name a file in it")
    })
  )

  it.effect("F69: a FIFO is refused and never blocks, also behind a symbolic link", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const folder = yield* ConfigFolder.make
      yield* Effect.promise(() => execute("mkfifo", [`${folder.root}/pipe.json`]))
      yield* fs.symlink(`${folder.root}/pipe.json`, `${folder.root}/link.json`)
      for (const name of ["pipe.json", "link.json"]) {
        expect(yield* message(`${folder.root}/${name}`)).toBe(
          ": is not a regular file, and reading it could wait for ever; put a regular file there"
        )
      }
    })
  )

  it.effect("symbolic links that point at each other are refused", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const folder = yield* ConfigFolder.make
      yield* fs.symlink(`${folder.root}/b.json`, `${folder.root}/a.json`)
      yield* fs.symlink(`${folder.root}/a.json`, `${folder.root}/b.json`)
      expect(yield* message(`${folder.root}/a.json`)).toBe(
        ": cannot be read: symbolic links point at each other; remove them"
      )
    })
  )

  it.effect("a file without read permission is refused with the remedy", (context) => {
    context.skip(process.getuid?.() === 0, "the superuser may read everything")
    return Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const folder = yield* ConfigFolder.make
      const file = yield* folder.write("a.json", {})
      yield* fs.chmod(file, 0)
      expect(yield* message(file)).toBe(
        ": cannot be read: permission denied; let yourself read it, and enter the folders it lies in"
      )
    })
  })

  it.effect("a file of 1 MiB is read and a larger one is refused", () =>
    Effect.gen(function* () {
      const folder = yield* ConfigFolder.make
      expect(yield* message(yield* folder.write("a.json", text(DocumentReader.SIZE_LIMIT)))).toBe("no error")
      expect(yield* message(yield* folder.write("b.json", text(DocumentReader.SIZE_LIMIT + 1)))).toBe(
        ": is larger than 1048576 bytes; make it smaller"
      )
    })
  )

  it.effect("a byte order mark is accepted and moves no column; other encodings are refused", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const folder = yield* ConfigFolder.make
      expect(yield* message(yield* folder.write("a.json", "\ufeff{}"))).toBe("no error")
      expect(yield* message(yield* folder.write("b.json", "\ufeff{ 1 }"))).toMatch(/^:1:3: /)
      yield* fs.writeFile(`${folder.root}/c.json`, Buffer.from('{\n "a": "caf\xe9" }', "latin1"))
      expect(yield* message(`${folder.root}/c.json`)).toBe(":2:11: the text is not UTF-8; save the file as UTF-8")
      yield* fs.writeFile(`${folder.root}/d.json`, Buffer.from("\ufeff{}", "utf16le"))
      expect(yield* message(`${folder.root}/d.json`)).toBe(":1:1: the text is not UTF-8; save the file as UTF-8")
    })
  )

  it.effect("the ending of the name says which language a file is in", () =>
    Effect.gen(function* () {
      const folder = yield* ConfigFolder.make
      for (const name of ["a.yaml", "a.yml", "A.YAML"]) {
        const file = yield* folder.write(name, "a: b")
        expect(Option.getOrThrow(yield* DocumentReader.read(file)).value([])).toEqual({ a: "b" })
      }
      for (const name of ["a.json", "a.jsonc", "plain"]) {
        const file = yield* folder.write(name, '{ "a": "b" /* c */ }')
        expect(Option.getOrThrow(yield* DocumentReader.read(file)).value([])).toEqual({ a: "b" })
      }
    })
  )
})
