/**
 * Takes the compression off a body. A server may compress though it was told which codings are welcome, or none.
 */
import * as Zlib from "node:zlib"
import type { Transform } from "node:stream"

/** What requests say they take. */
export const ACCEPTED = "gzip, deflate, br"

/**
 * What decodes this `Content-Encoding`: `undefined` where nothing is to be done, `"unknown"` where it cannot be.
 *
 * Bytes are let through as soon as they are decoded: an event must not wait for the next one.
 */
export const decoder = (encoding: string | undefined): Transform | "unknown" | undefined => {
  switch (encoding?.trim().toLowerCase() ?? "") {
    case "":
    case "identity":
      return undefined
    case "gzip":
    case "x-gzip":
      return Zlib.createGunzip(FLUSHED)
    case "deflate":
      return Zlib.createInflate(FLUSHED)
    case "br":
      return Zlib.createBrotliDecompress({ flush: Zlib.constants.BROTLI_OPERATION_FLUSH })
    case "zstd":
      return Zlib.createZstdDecompress({ flush: Zlib.constants.ZSTD_e_flush })
    default:
      return "unknown"
  }
}

const FLUSHED = { flush: Zlib.constants.Z_SYNC_FLUSH }
