/** The certificate authorities that the options of a layer name, for whatever sends requests. */
import { CertificateAuthorities } from "@letterhead/mcp/http/HttpDispatcher"
import * as Layer from "effect/Layer"

export interface CertificateOptions {
  /** Certificates of further authorities that servers and proxies may have: PEM text, or the absolute path of a file. */
  readonly certificateAuthorities?: string
}

export const layer = ({ certificateAuthorities }: CertificateOptions): Layer.Layer<never> =>
  certificateAuthorities === undefined ? Layer.empty : Layer.succeed(CertificateAuthorities, certificateAuthorities)
