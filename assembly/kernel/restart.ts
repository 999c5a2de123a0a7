// SPDX-License-Identifier: Apache-2.0
// A control processor that restarts (docs/model.md section 17): from the first edge of its clock at or after
// `at`, for so long. A handler that has ended by that edge has acted; one that runs then begins anew, with
// all its cycles, when the processor is up: what it works on stays in the queues of the hardware. Engines,
// ports and link go on. With its RAM kept the migration goes on too. With its RAM lost the firmware, when it
// is up, knows of no migration: it tells of that, and answers no round any more. Record numbers are the
// ciphers', and are kept, so that no nonce comes twice.
// Leaves out: the boot's own traffic, a watchdog's time to notice.
import {
  C_HANDLERS,
  G_RESTART_AT,
  G_RESTART_FOR,
  G_RESTART_LOST,
  REASON_RESTART,
  REASON_RESTART_THERE,
  U_CONTROL,
} from "../abi";
import { g, g32 } from "./params";
import { wake } from "./schedule";
import { booksClosed, counted } from "./stats";
import { NEVER, edgeAt } from "./time";
import { report } from "./trouble";

//  a side's, 24 bytes: | down from u64 | up at u64 | stage u32 | forgot u32 |
@unmanaged
class Restart {
  start: u64;
  up: u64;
  stage: u32; // 0 before, 1 down, 2 after
  forgot: u32;
}

const RESTARTS = memory.data(64, 16);

/** True when a control processor is to restart. */
export let restarting: bool = false;

// @ts-ignore: decorator
@inline
function restartOf(side: u32): Restart {
  return changetype<Restart>(RESTARTS + (side << 5));
}

/** Reads what is to happen to a side; its clocks are known. */
export function buildRestart(side: u32): void {
  const r = restartOf(side);
  memory.fill(changetype<usize>(r), 0, 32);
  const at = g(G_RESTART_AT + side);
  r.start = at >= NEVER ? NEVER : edgeAt(side * 2 + 1, at);
  r.up = at >= NEVER ? NEVER : edgeAt(side * 2 + 1, at + g(G_RESTART_FOR + side));
  if (side == 0) restarting = false;
  if (at >= NEVER) return;
  restarting = true;
  wake(side, U_CONTROL, r.start);
}

/** When the processor of a side that is down is up again. */
export function upAt(side: u32): u64 {
  return restartOf(side).up;
}

/** What happens at t: 0 nothing, 1 it goes down, 2 it is down. Up again, it has forgotten or not. */
export function restartAt(side: u32, t: u64): u32 {
  const r = restartOf(side);
  if (t < r.start) {
    wake(side, U_CONTROL, r.start);
    return 0;
  }
  if (r.stage == 2 || (r.stage == 0 && booksClosed)) return 0;
  if (t < r.up) {
    wake(side, U_CONTROL, r.up);
    if (r.stage == 1) return 2;
    r.stage = 1;
    return 1;
  }
  r.stage = 2;
  if ((g32(G_RESTART_LOST) & (1 << side)) == 0 || counted(side, C_HANDLERS) == 0) return 0;
  r.forgot = 1;
  report(side, side == 0 ? REASON_RESTART : REASON_RESTART_THERE, t);
  return 0;
}

/** Whether a side's firmware has forgotten the migration. */
export function forgotten(side: u32): bool {
  return restartOf(side).forgot != 0;
}
