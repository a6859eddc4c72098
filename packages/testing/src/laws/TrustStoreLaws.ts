/**
 * What every trust store must do, whatever it keeps approvals in.
 *
 * Needs no test runner: each law is an effect that fails with {@link LawBroken} where the store breaks it. Laws use keys
 * of their own, so that all of them may run against one store, in any order. Clocks may stand still.
 */
import { type Approval, type ApprovalKey, type TrustDecision, TrustStore } from "@letterhead/core/trust/TrustStore"
import type { TrustSubject } from "@letterhead/core/trust/TrustSubject"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"

/** A store that does not do what its law says. */
export class LawBroken extends Data.TaggedError("LawBroken")<{ readonly expected: string; readonly actual: string }> {
  override get message(): string {
    return `expected ${this.expected}, and got ${this.actual}`
  }
}

export interface Law {
  /** A claim, as the name of a test. */
  readonly name: string
  readonly check: Effect.Effect<void, unknown, TrustStore>
}

/** A subject for tests; what is not said is the same each time. */
export const subject = (facts: Partial<TrustSubject> & ApprovalKey): TrustSubject => ({
  scope: "project",
  lines: [
    ["sends to", "https://mcp.example.com/mcp"],
    ["helper runs", "/usr/bin/node ./headers.js"]
  ],
  files: [{ path: "/repository/headers.js", sha256: "00".repeat(32) }],
  digest: `sha256:${"11".repeat(32)}`,
  ...facts
})

const expect = (holds: boolean, expected: string, actual: unknown): Effect.Effect<void, LawBroken> =>
  holds ? Effect.void : Effect.fail(new LawBroken({ expected, actual: JSON.stringify(actual) }))

const expectDecision = (decision: TrustDecision, tag: TrustDecision["_tag"]): Effect.Effect<void, LawBroken> =>
  expect(decision._tag === tag, tag, decision)

const expectApproval = (decision: TrustDecision, approval: Approval): Effect.Effect<void, LawBroken> =>
  expect(
    decision._tag === "Approved" && canonical(decision.approval) === canonical(approval),
    `Approved with ${canonical(approval)}`,
    decision
  )

/** One text per approval, whatever the order of its keys. */
const canonical = ({ approvedAt, passEnv, subject: of }: Approval): string =>
  JSON.stringify([
    of.server,
    of.scope,
    of.configuration,
    of.lines,
    of.files.map((file) => [file.path, file.sha256]),
    of.digest,
    approvedAt,
    passEnv
  ])

const keyOf = ({ configuration, server }: TrustSubject): ApprovalKey => ({ configuration, server })
const otherDigest = `sha256:${"22".repeat(32)}`
/** Approvals made at the same time. */
const CONCURRENT = 20
/** Names that a store which builds paths or plain objects from them would confuse. */
const ODD_NAMES = [
  "__proto__",
  "constructor",
  "",
  "../../etc/passwd",
  "a\0b",
  "Case",
  "case",
  "ü",
  "u\u0308",
  "x".repeat(300)
]

const law = (name: string, body: (store: TrustStore["Service"]) => Effect.Effect<void, unknown>): Law => ({
  name,
  check: Effect.flatMap(TrustStore, body)
})

export const laws: ReadonlyArray<Law> = [
  law(
    "what nobody approved is not approved",
    Effect.fnUntraced(function* (store) {
      yield* expectDecision(yield* store.check(subject({ configuration: "/never", server: "a" })), "NeverApproved")
    })
  ),
  law(
    "what was approved is approved, as it was approved",
    Effect.fnUntraced(function* (store) {
      const approved = subject({ configuration: "/approved", server: "a" })
      const approval = yield* store.approve(approved, { passEnv: ["NPM_TOKEN"] })
      yield* expectApproval(yield* store.check(approved), approval)
      yield* expect(canonical(approval).includes("NPM_TOKEN"), "the approval to hold its passEnv", approval)
    })
  ),
  law(
    "nothing passes the environment unless the approval says so",
    Effect.fnUntraced(function* (store) {
      const approval = yield* store.approve(subject({ configuration: "/environment", server: "a" }))
      yield* expect(approval.passEnv.length === 0, "an empty passEnv", approval.passEnv)
    })
  ),
  law(
    "another digest is a change, and shows what was approved",
    Effect.fnUntraced(function* (store) {
      const approved = subject({ configuration: "/changed", server: "a" })
      yield* store.approve(approved)
      const decision = yield* store.check({ ...approved, digest: otherDigest })
      yield* expectDecision(decision, "Changed")
      yield* expect(
        decision._tag === "Changed" && decision.approval.subject.digest === approved.digest,
        "the approval of the digest before",
        decision
      )
    })
  ),
  law(
    "the digest alone decides, not what the subject shows",
    Effect.fnUntraced(function* (store) {
      const approved = subject({ configuration: "/shown", server: "a" })
      yield* store.approve(approved)
      yield* expectDecision(yield* store.check({ ...approved, lines: [], files: [] }), "Approved")
    })
  ),
  law(
    "a new approval takes the place of the one before",
    Effect.fnUntraced(function* (store) {
      const before = subject({ configuration: "/replaced", server: "a" })
      const after = { ...before, digest: otherDigest }
      yield* store.approve(before, { passEnv: ["OLD_TOKEN"] })
      const approval = yield* store.approve(after)
      yield* expectApproval(yield* store.check(after), approval)
      yield* expectDecision(yield* store.check(before), "Changed")
      const kept = (yield* store.list).filter((candidate) => candidate.subject.configuration === "/replaced")
      yield* expect(kept.length === 1, "one approval", kept)
    })
  ),
  law(
    "an approval holds for its own configuration and server only",
    Effect.fnUntraced(function* (store) {
      yield* store.approve(subject({ configuration: "/own", server: "a" }))
      yield* expectDecision(yield* store.check(subject({ configuration: "/own", server: "b" })), "NeverApproved")
      yield* expectDecision(yield* store.check(subject({ configuration: "/owner", server: "a" })), "NeverApproved")
      yield* expectDecision(yield* store.check(subject({ configuration: "/ow", server: "na" })), "NeverApproved")
    })
  ),
  law(
    "what was taken back is not approved, and can be taken back once",
    Effect.fnUntraced(function* (store) {
      const approved = subject({ configuration: "/revoked", server: "a" })
      yield* store.approve(approved)
      const first = yield* store.revoke(keyOf(approved))
      const second = yield* store.revoke(keyOf(approved))
      yield* expect(first && !second, "true, then false", [first, second])
      yield* expectDecision(yield* store.check(approved), "NeverApproved")
    })
  ),
  law(
    "taking one approval back leaves the others",
    Effect.fnUntraced(function* (store) {
      const kept = subject({ configuration: "/kept", server: "a" })
      const revoked = subject({ configuration: "/kept", server: "b" })
      yield* store.approve(kept)
      yield* store.approve(revoked)
      yield* store.revoke(keyOf(revoked))
      yield* expectDecision(yield* store.check(kept), "Approved")
    })
  ),
  law(
    "the list holds every approval",
    Effect.fnUntraced(function* (store) {
      const servers = ["a", "b", "c"]
      yield* Effect.forEach(servers, (server) => store.approve(subject({ configuration: "/listed", server })))
      const listed = (yield* store.list).flatMap((approval) =>
        approval.subject.configuration === "/listed" ? [approval.subject.server] : []
      )
      yield* expect(JSON.stringify(listed.toSorted()) === JSON.stringify(servers), JSON.stringify(servers), listed)
    })
  ),
  law(
    "approvals made at the same time all survive",
    Effect.fnUntraced(function* (store) {
      const subjects = Array.from({ length: CONCURRENT }, (_, index) =>
        subject({ configuration: "/concurrent", server: `server-${index}` })
      )
      yield* Effect.forEach(subjects, (each) => store.approve(each), { concurrency: "unbounded" })
      for (const each of subjects) yield* expectDecision(yield* store.check(each), "Approved")
    })
  ),
  law(
    "names of every kind are kept apart",
    Effect.fnUntraced(function* (store) {
      for (const [index, name] of ODD_NAMES.entries()) {
        yield* store.approve(subject({ configuration: "/odd", server: name, digest: `sha256:${index}` }))
      }
      for (const [index, name] of ODD_NAMES.entries()) {
        const decision = yield* store.check(subject({ configuration: "/odd", server: name, digest: `sha256:${index}` }))
        yield* expectDecision(decision, "Approved")
      }
    })
  )
]
