/** What the suite gives a client of a scenario about authorization beforehand, in `MCP_CONFORMANCE_CONTEXT`. */
import * as Schema from "effect/Schema"

const Text = Schema.optional(Schema.String)

export const AuthorizationContext = Schema.Struct({
  client_id: Text,
  client_secret: Text,
  /** PKCS #8, as PEM. */
  private_key_pem: Text,
  signing_algorithm: Text,
  /** What the client is to the identity provider. */
  idp_client_id: Text,
  idp_id_token: Text,
  idp_issuer: Text,
  /** Its metadata is not complete. */
  idp_token_endpoint: Text,
  /** The identity of a workload. */
  valid_jwt: Text
})
export type AuthorizationContext = typeof AuthorizationContext.Type

/** As the environment has it; without one, nothing is given. */
export const decode = (text = "{}") => Schema.decodeEffect(Schema.fromJsonString(AuthorizationContext))(text)
