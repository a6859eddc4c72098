/**
 * `letterhead login <server>`: signs in, whether somebody is signed in already or not.
 *
 * In the browser of this machine, whose address is shown too. With `--no-browser` the address is opened on any machine,
 * and the one it ends at is pasted here; where the authorization server has device authorization, a code is entered
 * there instead. What was signed in before stays until the new sign-in is done.
 *
 * Where the entry names a grant that needs nobody, a token is got by it and thrown away, so that a person sees whether
 * that works.
 *
 * `--json`: `{ server, grant?, issuer, resource, scope?, expiresAt?, renewable }`; on standard error a line
 * `{ signIn: { step, address?, message } }` for each thing the person has to do, and `{ question: { message } }` where an
 * answer is typed. Without a terminal on standard error a person is waited for only where a browser was opened.
 */
import { local } from "@letterhead/core/call/CallContext"
import { SecretStore } from "@letterhead/core/secrets/SecretStore"
import { NAMES } from "@letterhead/core/server/GrantNames"
import { McpConfig } from "@letterhead/core/server/McpConfig"
import type { Grant, ServerEntry } from "@letterhead/core/server/ServerEntry"
import { HeaderSources } from "@letterhead/core/sources/HeaderSources"
import * as Clock from "effect/Clock"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { CliFailure } from "../CliFailure.ts"
import { warnOf } from "../ConfigNotes.ts"
import { withSignIn } from "../LazyLayers.ts"
import { Output } from "../Output.ts"
import { printableLine } from "../Printable.ts"
import { withProgress } from "../Progress.ts"
import { recordOf, remaining, supplierOf } from "../SignInState.ts"

export const login = Command.make(
  "login",
  {
    server: Argument.String("server").pipe(Argument.withDescription("Name of a configured server")),
    noBrowser: Flag.Boolean("no-browser").pipe(
      Flag.withDescription("Sign in with a browser of another machine"),
      Flag.withoutNegation,
      Flag.withDefault(false)
    )
  },
  ({ noBrowser, server }) => withSignIn(!noBrowser)(signIn(server, noBrowser))
).pipe(Command.withDescription("Sign in at a server"))

const signIn = Effect.fnUntraced(function* (server: string, noBrowser: boolean) {
  const output = yield* Output
  const config = yield* McpConfig
  yield* warnOf(config, server)
  const entry = yield* config.get(server)
  const source = (yield* HeaderSources).find((candidate) => candidate.signIn !== undefined)
  const reason = reasonAgainst(entry)
  if (source?.signIn === undefined || reason !== undefined) {
    return yield* new CliFailure({
      code: "UsageInvalid",
      message: `nobody signs in at "${printableLine(server)}": ${reason ?? "there is no source of sign-ins"}`
    })
  }
  if (entry.oauth?.grant !== undefined) return yield* tryGrant(entry, entry.oauth.grant)
  yield* requireStore
  const signing = source.signIn(entry, { ...local, server })
  yield* noBrowser ? signing : signing.pipe(withProgress(`waiting for you to sign in at ${server}`))

  const record = Option.getOrUndefined(yield* recordOf(entry))
  if (record?._tag !== "SignedIn") return yield* output.print(`Signed in at "${printableLine(server)}".`)
  const { expiresAt, issuer, resource, scope } = record
  const renewable = record.refreshToken !== undefined
  if (output.json) {
    return yield* output.document({
      server,
      issuer,
      resource,
      ...(scope === undefined ? {} : { scope }),
      ...(expiresAt === undefined ? {} : { expiresAt: new Date(expiresAt).toISOString() }),
      renewable
    })
  }
  const lasting = renewable
    ? "; it is renewed by itself"
    : expiresAt === undefined
      ? ""
      : `, for ${remaining(expiresAt - (yield* Clock.currentTimeMillis))}`
  return yield* output.print(output.style.green(printableLine(`Signed in at "${server}" by ${issuer}${lasting}.`)))
})

/** What a sign-in leads to has to outlive this program: where nothing can be kept, nobody is asked to sign in. */
export const requireStore = Effect.gen(function* () {
  const store = yield* SecretStore
  yield* store.set(PROBE, Redacted.make("not a secret")).pipe(
    Effect.andThen(store.remove(PROBE)),
    Effect.onInterrupt(() => Effect.ignore(store.remove(PROBE))),
    Effect.mapError(
      ({ reason }) =>
        new CliFailure({
          code: "SecretStoreFailed",
          message: reason.message,
          hint:
            "A sign-in could not be kept, so nobody was asked for one. See to that folder, or name another by " +
            "XDG_DATA_HOME, or by LETTERHEAD_HOME with your configuration."
        })
    )
  )
})

/** Of no server: one for all, since a store may remember that something was removed. */
const PROBE = { ...local, origin: "letterhead:", server: "letterhead", field: "whether something can be kept" }

/** Nobody signs in: shows that there is a token to be had. */
const tryGrant = Effect.fnUntraced(function* (entry: ServerEntry, grant: Grant) {
  const output = yield* Output
  const { request } = yield* Effect.promise(() => import("../GrantToken.ts"))
  const { expiresAt, issuer, resource, scope } = yield* request(entry)
  if (output.json) {
    return yield* output.document({
      server: entry.name,
      grant: grant.type,
      issuer,
      resource,
      ...(scope === undefined ? {} : { scope }),
      ...(expiresAt === undefined ? {} : { expiresAt: new Date(expiresAt).toISOString() }),
      renewable: true
    })
  }
  const lasting = expiresAt === undefined ? "" : ` for ${remaining(expiresAt - (yield* Clock.currentTimeMillis))}`
  return yield* output.print(
    printableLine(
      `Nobody has to sign in at "${entry.name}": ${issuer} gives a token${lasting} (${NAMES[grant.type].name}). ` +
        `Each run gets its own; this one is not kept.`
    )
  )
})

/** Why a sign-in would be of no use. */
const reasonAgainst = (entry: ServerEntry): string | undefined => {
  if (entry.endpoint.type !== "http") return "it is a program, and not a URL"
  if (entry.auth === "none") return `its entry says "auth": "none"`
  if (entry.oauth?.exchange !== undefined) return "the token of whoever calls is exchanged for one of the server"
  const supplier = supplierOf(entry)
  return supplier === undefined
    ? undefined
    : `its Authorization is ${SUPPLIERS[supplier]}, and goes before a sign-in; take that out of the entry first`
}

const SUPPLIERS = {
  static: "a header of the entry",
  credential: "a credential of the entry",
  incoming: "an incoming header"
} as const
