/** Where a document says that secrets are kept, under `credentials.storage`. What is wrong with that costs no server. */
import type { ConfigWarning, CredentialStorage } from "@letterhead/core/server/McpConfig"
import * as Result from "effect/Result"
import type { Document } from "./Document.ts"
import * as NativeForm from "./NativeForm.ts"
import * as SchemaDecoder from "./SchemaDecoder.ts"

export const decode = (
  document: Document
): { readonly credentialStorage?: CredentialStorage; readonly warnings: ReadonlyArray<ConfigWarning> } => {
  if (document.node(AT) === undefined) return { warnings: [] }
  const credentials = decodeCredentials(document, AT)
  if (Result.isFailure(credentials)) {
    const { expected, place } = credentials.failure
    return { warnings: [{ place, message: `"credentials": expected ${expected}; ignored` }] }
  }
  const { storage } = credentials.success
  return { ...(storage === undefined ? {} : { credentialStorage: storage }), warnings: [] }
}

const AT = ["credentials"]

const decodeCredentials = SchemaDecoder.make(NativeForm.Credentials)
