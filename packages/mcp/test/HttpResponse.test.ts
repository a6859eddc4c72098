/** Answers of real servers, read as the Fetch standard's `Response` is read. */
import { assert, describe, it } from "@effect/vitest"
import * as LoopbackListener from "@letterhead/testing/LoopbackListener"
import * as Effect from "effect/Effect"
import type { ServerResponse } from "node:http"
import * as Zlib from "node:zlib"
import * as Requests from "./support/Requests.ts"

const TEXT = '{"text":"grüße 😀"}'

const answering = Effect.fnUntraced(function* (answer: (response: ServerResponse, path: string) => void) {
  const origin = yield* LoopbackListener.listen((request, response) => answer(response, request.url ?? ""))
  const url = `${origin}/mcp`
  const { fetch } = yield* Requests.make({ url })
  return { url, fetch, get: Effect.promise(() => fetch(url, { method: "PUT" })) }
})

const chunksOf = async <A>(stream: AsyncIterable<A> | null): Promise<ReadonlyArray<A>> => {
  const chunks: Array<A> = []
  for await (const chunk of stream ?? []) chunks.push(chunk)
  return chunks
}

const fieldsOf = (response: Response) => [...response.headers].filter(([name]) => name !== "date")

const json = (response: ServerResponse) =>
  response.writeHead(200, "Fine", { "content-type": "application/json", "x-one": "1" }).end(TEXT)

describe("an answer", () => {
  it.live("has every member of a Response, says what fetch says, and is an instance of it", () =>
    Effect.gen(function* () {
      const { get, url } = yield* answering(json)
      const ours = yield* get
      const theirs = yield* Effect.promise(() => globalThis.fetch(url, { method: "PUT" }))
      assert.instanceOf(ours, globalThis.Response)
      for (const member of Object.getOwnPropertyNames(globalThis.Response.prototype)) {
        assert.isTrue(Object.hasOwn(Object.getPrototypeOf(ours), member), member)
      }
      for (const member of ["status", "ok", "statusText", "url", "type", "redirected", "bodyUsed"] as const) {
        assert.strictEqual(ours[member], theirs[member], member)
      }
      assert.deepStrictEqual(fieldsOf(ours), fieldsOf(theirs))
      assert.strictEqual(Object.prototype.toString.call(ours), "[object Response]")
      assert.strictEqual(yield* Effect.promise(() => ours.text()), TEXT)
      yield* Effect.promise(() => theirs.text())
      assert.isTrue(ours.bodyUsed)
    })
  )

  it.live("is read in every way, once", () =>
    Effect.gen(function* () {
      const { get } = yield* answering(json)
      const read = <A>(how: (response: Response) => Promise<A>) =>
        Effect.flatMap(get, (response) => Effect.promise(() => how(response)))
      assert.deepStrictEqual(yield* read((response) => response.json()), JSON.parse(TEXT))
      assert.strictEqual(new TextDecoder().decode(yield* read((response) => response.arrayBuffer())), TEXT)
      assert.strictEqual(new TextDecoder().decode(yield* read((response) => response.bytes())), TEXT)
      const blob = yield* read((response) => response.blob())
      assert.strictEqual(blob.type, "application/json")
      assert.strictEqual(yield* Effect.promise(() => blob.text()), TEXT)
      assert.strictEqual((yield* read((response) => chunksOf(response.textStream()))).join(""), TEXT)
      assert.strictEqual(yield* read((response) => new globalThis.Response(response.body, response).text()), TEXT)
      const spent = yield* get
      yield* Effect.promise(() => spent.text())
      for (const again of [() => spent.text(), () => spent.json(), () => spent.bytes(), async () => spent.clone()]) {
        assert.strictEqual(
          (yield* Effect.flip(Effect.tryPromise({ try: again, catch: String }))).slice(0, 9),
          "TypeError"
        )
      }
      assert.isTrue(spent.body?.locked)
      const streamed = yield* get
      assert.isFalse(streamed.bodyUsed)
      yield* Effect.promise(() => chunksOf(streamed.body))
      assert.isTrue(streamed.bodyUsed)
    })
  )

  it.live("is cloned before it is read, and both are read", () =>
    Effect.gen(function* () {
      const { get } = yield* answering(json)
      const response = yield* get
      const clone = response.clone()
      assert.strictEqual(clone.headers.get("x-one"), "1")
      const texts = yield* Effect.promise(() => Promise.all([response.text(), clone.text()]))
      assert.deepStrictEqual(texts, [TEXT, TEXT])
    })
  )

  it.live("keeps values of a field that comes more than once apart as fetch does, and passes over 1xx", () =>
    Effect.gen(function* () {
      const { get } = yield* answering((response) => {
        response.writeProcessing()
        response.writeEarlyHints({ link: "</x>; rel=preload" })
        response.writeHead(
          200,
          [
            ["set-cookie", "a=1"],
            ["set-cookie", "b=2"],
            ["x-many", "1"],
            ["x-many", "2"]
          ].flat()
        )
        response.end("fine")
      })
      const response = yield* get
      assert.strictEqual(response.status, 200)
      assert.deepStrictEqual(response.headers.getSetCookie(), ["a=1", "b=2"])
      assert.strictEqual(response.headers.get("x-many"), "1, 2")
      assert.strictEqual(yield* Effect.promise(() => response.text()), "fine")
    })
  )

  it.live("has no body where HTTP has none", () =>
    Effect.gen(function* () {
      const { fetch, get, url } = yield* answering((response) => response.writeHead(204).end())
      const empty = yield* get
      assert.isNull(empty.body)
      assert.strictEqual(yield* Effect.promise(() => empty.text()), "")
      assert.isNull(empty.clone().body)
      assert.isNull((yield* Effect.promise(() => fetch(url, { method: "HEAD" }))).body)
    })
  )

  it.live("is read as fetch reads UTF-8: without its mark, and with a sign for what is none", () =>
    Effect.gen(function* () {
      const { get } = yield* answering((response) => {
        response.writeHead(200).end(Buffer.from([0xef, 0xbb, 0xbf, 0x61, 0xff, 0x62]))
      })
      assert.strictEqual(yield* Effect.flatMap(get, Requests.text), "a\ufffdb")
    })
  )

  it.live("of a form is a form", () =>
    Effect.gen(function* () {
      const { get } = yield* answering((response) =>
        response.writeHead(200, { "content-type": "application/x-www-form-urlencoded" }).end("a=1&b=2")
      )
      const form = yield* Effect.flatMap(get, (response) => Effect.promise(() => response.formData()))
      assert.deepStrictEqual(
        [...form],
        [
          ["a", "1"],
          ["b", "2"]
        ]
      )
    })
  )
})

/** Writes so many bytes as fast as they are taken, and counts them. */
const pouring = (bytes: number) => {
  const count = { written: 0 }
  const pour = (response: ServerResponse): void => {
    const chunk = Buffer.alloc(64 * 1024, "x")
    count.written = 0
    response.writeHead(200)
    const write = (): void => {
      while (count.written < bytes) {
        count.written += chunk.length
        if (!response.write(chunk)) return void response.once("drain", write)
      }
      response.end()
    }
    write()
  }
  return { count, pour }
}

describe("a large answer", () => {
  it.live("is read whole in either way", () =>
    Effect.gen(function* () {
      const { count, pour } = pouring(5_000_000)
      const { get } = yield* answering(pour)
      const whole = yield* Effect.flatMap(get, Requests.text)
      assert.strictEqual(whole.length, count.written)
      const response = yield* get
      let size = 0
      yield* Effect.promise(async () => {
        for await (const chunk of response.body ?? []) size += chunk.byteLength
      })
      assert.strictEqual(size, count.written)
    })
  )

  it.live("waits at the server until somebody reads it", () =>
    Effect.gen(function* () {
      const { count, pour } = pouring(256 * 1024 * 1024)
      const { get } = yield* answering(pour)
      const response = yield* get
      let before = -1
      while (before !== count.written) {
        before = count.written
        yield* Effect.sleep(100)
      }
      // What the sockets of both sides hold.
      assert.isBelow(count.written, 64 * 1024 * 1024)
      yield* Effect.promise(async () => response.body?.cancel())
    })
  )
})

describe("a compressed answer", () => {
  const codings: Readonly<Record<string, (bytes: Buffer) => Buffer>> = {
    gzip: Zlib.gzipSync,
    "x-gzip": Zlib.gzipSync,
    GZIP: Zlib.gzipSync,
    deflate: Zlib.deflateSync,
    br: Zlib.brotliCompressSync,
    zstd: Zlib.zstdCompressSync,
    identity: (bytes: Buffer) => bytes
  }
  for (const [coding, compress] of Object.entries(codings)) {
    it.live(`is read whether it was asked for or not (${coding})`, () =>
      Effect.gen(function* () {
        const large = JSON.stringify({ text: "grüße 😀 ".repeat(100_000) })
        const { get } = yield* answering((response) =>
          response
            .writeHead(200, { "content-type": "application/json", "content-encoding": coding })
            .end(compress(Buffer.from(large)))
        )
        assert.strictEqual(yield* Effect.flatMap(get, Requests.text), large)
        const streamed = yield* get
        const chunks = yield* Effect.promise(() => chunksOf(streamed.body))
        assert.strictEqual(Buffer.concat(chunks).toString(), large)
      })
    )
  }

  it.live("of events brings each event when it is sent", () =>
    Effect.gen(function* () {
      const { get } = yield* answering((response) => {
        response.writeHead(200, { "content-type": "text/event-stream", "content-encoding": "gzip" })
        const gzip = Zlib.createGzip()
        gzip.pipe(response)
        gzip.write("data: 1\n\n")
        gzip.flush()
      })
      const response = yield* get
      const first = yield* Effect.promise(async () => {
        for await (const chunk of response.body ?? []) return new TextDecoder().decode(chunk)
        return ""
      })
      assert.strictEqual(first, "data: 1\n\n")
    })
  )

  it.live("that is none, or in a coding that nobody knows, is an error that says so", () =>
    Effect.gen(function* () {
      const { get } = yield* answering((response) =>
        response.writeHead(200, { "content-encoding": "gzip" }).end("not compressed")
      )
      const garbled = yield* Effect.flip(Effect.flatMap(get, Requests.text))
      assert.include(garbled.message, "cannot be decompressed")
      const { fetch, url } = yield* answering((response) =>
        response.writeHead(200, { "content-encoding": "compress" }).end("?")
      )
      const unknown = yield* Effect.flip(Effect.tryPromise({ try: () => fetch(url), catch: Requests.reasonOf }))
      assert.include(unknown.message, "not asked for")
    })
  )
})
