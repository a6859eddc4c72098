/** All that is measured, in the order of the tables. */
import { current, newPerCall, older } from "./BareClients.ts"
import * as BareRequests from "./BareRequests.ts"
import { effect, overFetch, overUndici } from "./EffectClients.ts"
import * as Letterhead from "./LetterheadClients.ts"
import {
  CONNECT_LEGACY,
  CONNECT_MODERN,
  CURRENT_LEGACY,
  CURRENT_MODERN,
  EFFECT,
  EFFECT_UNDICI,
  OLDER
} from "./Names.ts"
import type { Subject } from "./Subject.ts"

export const subjects: ReadonlyArray<Subject> = [
  ...BareRequests.subjects,
  older(OLDER),
  newPerCall,
  current(CURRENT_LEGACY, "legacy"),
  current(CURRENT_MODERN, "modern"),
  effect(EFFECT, "legacy", overFetch),
  effect(EFFECT_UNDICI, "legacy", overUndici),
  Letterhead.connection(CONNECT_LEGACY, "legacy"),
  Letterhead.connection(CONNECT_MODERN, "modern")
]
