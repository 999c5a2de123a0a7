// SPDX-License-Identifier: Apache-2.0
// One server with its card, and at the far end of the external link a peer that is no card: a script, which
// reads what the card sends as bytes of records and answers with records of its own. The peer has the port of
// a card, with its connections; all behind that is the script's, which takes no time.
//
// In and out: a whole record that the port holds, header, payload and tag (kernel/record), in the order of
//   its data link; records of the script, as the same bytes, visible to the wire one tick later.
// Leaves out: everything of the peer but its port; `content: full` alone, since records must carry bytes;
//   a script that sends records made before the request (it takes them, each with its nonce behind it).
import {
  G_ENCRYPT_BITS,
  G_NET_WINDOW,
  G_QUANTUM,
  PAGE_BYTES,
  RECORD_HEADER_BYTES,
  RECORD_TAG_BYTES,
  STOP_DONE,
  STOP_INPUT,
  STOP_INVARIANT,
  STOP_PEER,
  STOP_UNTIL,
  STORE_NONCE_BYTES,
  UNITS,
  U_FRONTEND,
  U_NET_RX,
  U_NET_TX,
} from "./abi";
import { build, step } from "./board";
import { stepRx, stepTx } from "./board-net";
import { wantsInput } from "./host/guest";
import { setGuestRuns } from "./kernel/dirty";
import { CARRIED, CODED, FINAL, FROM_STORE } from "./kernel/jobs";
import { g, g32 } from "./kernel/params";
import { receiveNumber } from "./kernel/record";
import { receiveStored } from "./kernel/record-store";
import {
  earliest,
  forgetDue,
  nextDue,
  nextPresent,
  setCurrent,
  setNow,
  somePresent,
  wake,
} from "./kernel/schedule";
import { brokenInvariant } from "./kernel/stats";
import {
  append,
  recordAt,
  recordBytes,
  recordThere,
  ringFit,
  ringRead,
  ringWrite,
  stream,
  tableFits,
  takeOut,
} from "./kernel/stream";
import { NEVER } from "./kernel/time";
import { flushPcie } from "./kernel/way";

const RECORD = memory.data(8192, 16);
if (RECORD_HEADER_BYTES + PAGE_BYTES + RECORD_TAG_BYTES > 8192) ERROR("record of a script");

/** The side that is a server with a card. */
let real: u32 = 0;
/** Up to when the peer's port has run. */
let peerAt: u64 = 0;

/** Where a record of the script lies, or one that it takes. */
export function peerRecord(): usize {
  return RECORD;
}

/** Builds the board with a card on one side; what build() says. */
export function buildAlone(side: u32): u32 {
  const built = build();
  real = side;
  peerAt = 0;
  if (side == 0) return built;
  // the guest is the script's: it has been stopped, and nobody asks for its events
  forgetDue(0);
  setGuestRuns(false);
  wake(1, U_FRONTEND, 0);
  return built;
}

/** Runs until `until`, until nothing is left to do, or until the peer has a record or the guest no events. */
export function runAlone(until: u64): u32 {
  while (brokenInvariant == 0) {
    if (real == 0 && wantsInput) return STOP_INPUT;
    const a = earliest(0);
    const b = earliest(1);
    const first = a < b ? a : b;
    if (first == NEVER) return STOP_DONE;
    if (first > until) return STOP_UNTIL;
    let to = first + g(G_QUANTUM);
    if (to > until) to = until;
    if (real == 1 && runPeer(to)) return STOP_PEER;
    runCard(to);
    if (real == 0 && runPeer(to)) return STOP_PEER;
  }
  return STOP_INVARIANT;
}

/** Steps the server and its card up to and including `to`. */
function runCard(to: u64): void {
  setCurrent(real, UNITS);
  while (brokenInvariant == 0 && (real == 1 || !wantsInput)) {
    const t = nextDue(real, to);
    if (t > to) break;
    setNow(t);
    while (somePresent()) step(real, nextPresent(real), t);
  }
  setCurrent(2, UNITS);
  flushPcie(real);
}

/** Steps the peer's port; true when it holds a record, and has then run to the time at which it came. */
function runPeer(to: u64): bool {
  const side = 1 - real;
  setCurrent(side, UNITS);
  let there = false;
  while (brokenInvariant == 0 && !there) {
    const t = nextDue(side, to);
    if (t > to) break;
    setNow(t);
    peerAt = t;
    while (somePresent()) {
      const u = nextPresent(side);
      if (u == U_NET_RX) stepRx(side, t);
      else if (u == U_NET_TX) stepTx(side, t);
    }
    there = recordThere(stream(real, 0)) || recordThere(stream(real, 1));
  }
  if (!there && peerAt < to) peerAt = to;
  setCurrent(2, UNITS);
  return there;
}

function tagBytes(): u32 {
  return g32(G_ENCRYPT_BITS) != 0 ? RECORD_TAG_BYTES : 0;
}

/** The bytes of the next whole record that the peer has of a data link; 0 when there is none. */
export function peerTake(link: u32): u32 {
  const s = stream(real, link);
  if (!recordThere(s)) return 0;
  const r = recordAt(s, s.next);
  const stored = (r.flags & FROM_STORE) != 0;
  if (stored) receiveStored(r.base, r.nonce, peerAt);
  else receiveNumber(real, link, r.nonce, peerAt);
  const total = recordBytes(r.bytes, tagBytes()) + (stored ? STORE_NONCE_BYTES : 0);
  ringRead(s, s.position, RECORD, total);
  takeOut(s, total, peerAt + 1);
  wake(1 - real, U_NET_TX, peerAt + 1);
  return total;
}

/** Sends the record whose bytes lie at peerRecord(); false when the window or the table has no room now. */
export function peerPut(link: u32, total: u32, number: u64): bool {
  const s = stream(1 - real, link);
  if (g(G_NET_WINDOW) - (s.appended - s.una) < total || !tableFits(s)) return false;
  const from = s.appended;
  const r = append(s, total, peerAt + 1);
  const codec = load<u8>(RECORD, 10);
  r.nonce = number;
  r.pfn = load<u32>(RECORD);
  r.version = load<u32>(RECORD, 12);
  r.bytes = load<u16>(RECORD, 8);
  r.kind = load<u8>(RECORD, 11);
  r.round = r.version;
  r.flags = CARRIED | ((codec & 1) != 0 ? CODED : 0) | ((codec & 2) != 0 ? FINAL : 0);
  r.word = 0;
  ringFit(s);
  ringWrite(s, from, RECORD, total);
  wake(1 - real, U_NET_TX, peerAt + 1);
  return true;
}
