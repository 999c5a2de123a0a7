// SPDX-License-Identifier: Apache-2.0
// Stages of pages in software, on the cores of a card's control processor (`placement: { …: card-core }`).
//
// Models: zero filter, compression, sealing, opening and decompression as jobs of a page or record each, one
//   core a job, from beginning to end. They are taken by cores that the firmware leaves idle, those nearest
//   to the link or to memory first: seal, decompress, open, compress, zero filter. A job that has begun is
//   not put aside for a handler: the handler waits.
// In and out: the queues of the engines in whose place they stand. A job is begun only with its place behind
//   reserved (and, to code or decode, an SRAM slot); what it makes may be seen from the card's first edge
//   after its end on.
// How long: job + ceil(n x perKiB / 1024) cycles of the control clock, one at least; n is the bytes in of a
//   page that is coded or stays raw (a cost each), the bytes out of one that is decoded, header and payload
//   of a record. The zero filter looks at 4096 bytes of a zero page, at 64 of any other, at none of device
//   state. So k cores have k / cycles jobs a cycle at most, less what the firmware takes.
// Leaves out: caches and memory of the cores, key expansion, that they share a staging SRAM's ports.
// Numbers: card preset `stages.*` (assumed).
import {
  A_CORE,
  BLOCKED,
  BUSY,
  C_STAGE_COMPRESS,
  C_STAGE_CRYPT,
  C_STAGE_DECOMPRESS,
  C_STAGE_ZERO,
  F_STAGE_COMPRESS,
  F_STAGE_OPEN,
  F_STAGE_SEAL,
  F_STAGE_UNLZ,
  F_STAGE_ZERO,
  H_RECORD_OPEN,
  PAGE_BYTES,
  P_CODED,
  P_OUT,
  P_SEALED,
  Q_FRAME,
  Q_LZ,
  Q_OPEN,
  Q_PLACE,
  Q_RECORD,
  Q_SEAL,
  Q_UNLZ,
  Q_ZERO,
  RECORD_HEADER_BYTES,
  STAGE_COMPRESS,
  STAGE_CRYPT,
  STAGE_DECOMPRESS,
  STAGE_ZERO,
  STARVED,
  S_CORES,
  S_CORE_GCM,
  S_CORE_JOB,
  S_CORE_LZ,
  S_CORE_LZ_RAW,
  S_CORE_STAGES,
  S_CORE_UNLZ,
  S_CORE_ZERO,
  T_STAGE,
  U_COMPRESS,
  U_OPEN,
  U_SEAL,
  U_UNLZ,
  U_ZERO,
  W_SRAM,
  ZERO_GLANCE,
} from "./abi";
import { coded, compress, decoded, decompress } from "./card/compressor";
import { behindOpen, openRecord, refuse, sealRecord } from "./card/crypto";
import { behindFilter, sorted, sortsOut } from "./card/zero";
import { occupy } from "./kernel/cores";
import { head, hold, lacks, letGo, pop, pushHeld, queue, ready } from "./kernel/fifo";
import { CODED, JOB_DEVICE, SPOILT, job, onItsWay, slotsShort } from "./kernel/jobs";
import { p32 } from "./kernel/params";
import { POOL_CORES, idleOf, rest } from "./kernel/pool";
import { count, sample } from "./kernel/stats";
import { edgeAt } from "./kernel/time";
import { happened } from "./kernel/timeline";

/** Begins stages on the cores that the firmware has left idle at the control clock edge t. */
export function beginStages(side: u32, t: u64): void {
  for (let idle = idleOf(side, POOL_CORES, 0, p32(side, S_CORES)); idle != 0; idle &= idle - 1) {
    const waits = begin(side, <u32>ctz<u32>(idle), t);
    if (waits == BUSY) continue;
    // what one core could not begin, the next cannot either; what the firmware waits for stands, unless a
    // stage waits too
    if (waits != STARVED) rest(side, POOL_CORES, A_CORE, idle, waits, t);
    return;
  }
}

/** The first stage that can begins on a core; what the first of the others waits for when none can. */
function begin(side: u32, core: u32, t: u64): u32 {
  let waits = STARVED;
  for (let stage: u32 = 0; stage < 5; stage++) {
    const state = beginStage(side, core, stage, t);
    if (state == BUSY) return BUSY;
    if (waits == STARVED) waits = state;
  }
  return waits;
}

function beginStage(side: u32, core: u32, stage: u32, t: u64): u32 {
  if (stage == 0) return beginSeal(side, core, t);
  if (stage == 1) return beginUnlz(side, core, t);
  if (stage == 2) return beginOpen(side, core, t);
  if (stage == 3) return beginCompress(side, core, t);
  return beginZero(side, core, t);
}

/** Whether the cores have this stage, and there is work for it at t. */
// @ts-ignore: decorator
@inline
function waiting(side: u32, stage: u32, q: u32, t: u64): bool {
  return (p32(side, S_CORE_STAGES) & stage) != 0 && ready(queue(side, q), t);
}

/** The core works at a job of so many bytes; `unit` is the engine in whose place it stands. */
function work(
  side: u32,
  core: u32,
  handler: u32,
  index: u32,
  to: u32,
  bytes: u32,
  perKib: u32,
  unit: u32,
  counter: u32,
  t: u64,
): u32 {
  const cycles = max<u32>(1, p32(side, S_CORE_JOB) + (bytes * p32(side, perKib) + 1023) / 1024);
  const done = occupy(side, core, handler, index, 1, to, cycles, t);
  count(side, counter, done - t);
  if (isDefined(TIMELINE)) {
    happened(T_STAGE, side, unit, t, job(side, index).pfn, done, job(side, index).kind);
    if (unit == U_COMPRESS) onItsWay(P_CODED, side, job(side, index), t, job(side, index).bytes, cycles);
    if (unit == U_SEAL) onItsWay(P_SEALED, side, job(side, index), t, job(side, index).nonce, 0);
  }
  return BUSY;
}

function beginSeal(side: u32, core: u32, t: u64): u32 {
  if (!waiting(side, STAGE_CRYPT, Q_SEAL, t)) return STARVED;
  if (lacks(queue(side, Q_FRAME), 1)) return BLOCKED;
  hold(queue(side, Q_FRAME), 1);
  const index = pop(queue(side, Q_SEAL));
  sealRecord(side, index, t);
  const bytes = RECORD_HEADER_BYTES + job(side, index).bytes;
  return work(side, core, F_STAGE_SEAL, index, Q_FRAME, bytes, S_CORE_GCM, U_SEAL, C_STAGE_CRYPT, t);
}

function beginOpen(side: u32, core: u32, t: u64): u32 {
  if (!waiting(side, STAGE_CRYPT, Q_OPEN, t)) return STARVED;
  const to = behindOpen(job(side, head(queue(side, Q_OPEN))));
  if (lacks(queue(side, to), 1)) return BLOCKED;
  hold(queue(side, to), 1);
  const index = pop(queue(side, Q_OPEN));
  const bytes = RECORD_HEADER_BYTES + job(side, index).bytes;
  openRecord(side, index, t);
  return work(side, core, F_STAGE_OPEN, index, to, bytes, S_CORE_GCM, U_OPEN, C_STAGE_CRYPT, t);
}

function beginUnlz(side: u32, core: u32, t: u64): u32 {
  if (!waiting(side, STAGE_DECOMPRESS, Q_UNLZ, t)) return STARVED;
  if (lacks(queue(side, Q_PLACE), 1)) return BLOCKED;
  if (slotsShort(side, 1)) return W_SRAM;
  hold(queue(side, Q_PLACE), 1);
  const index = pop(queue(side, Q_UNLZ));
  const bytes = decompress(side, job(side, index), t);
  return work(side, core, F_STAGE_UNLZ, index, Q_PLACE, bytes, S_CORE_UNLZ, U_UNLZ, C_STAGE_DECOMPRESS, t);
}

function beginCompress(side: u32, core: u32, t: u64): u32 {
  if (!waiting(side, STAGE_COMPRESS, Q_LZ, t)) return STARVED;
  if (lacks(queue(side, Q_RECORD), 1)) return BLOCKED;
  if (slotsShort(side, 1)) return W_SRAM;
  hold(queue(side, Q_RECORD), 1);
  const index = pop(queue(side, Q_LZ));
  const j = job(side, index);
  const bytes = j.bytes;
  compress(side, j, bytes);
  const cost = (j.flags & CODED) != 0 ? S_CORE_LZ : S_CORE_LZ_RAW;
  return work(side, core, F_STAGE_COMPRESS, index, Q_RECORD, bytes, cost, U_COMPRESS, C_STAGE_COMPRESS, t);
}

function beginZero(side: u32, core: u32, t: u64): u32 {
  if (!waiting(side, STAGE_ZERO, Q_ZERO, t)) return STARVED;
  const j = job(side, head(queue(side, Q_ZERO)));
  const zero = sortsOut(side, j);
  const to = behindFilter(zero);
  if (lacks(queue(side, to), 1)) return BLOCKED;
  hold(queue(side, to), 1);
  const index = pop(queue(side, Q_ZERO));
  const bytes = zero ? PAGE_BYTES : j.kind == JOB_DEVICE ? 0 : ZERO_GLANCE;
  return work(side, core, F_STAGE_ZERO, index, to, bytes, S_CORE_ZERO, U_ZERO, C_STAGE_ZERO, t);
}

/** A stage has ended at t: its job goes on. */
export function endStage(side: u32, handler: u32, index: u32, to: u32, t: u64): void {
  const j = job(side, index);
  const at = edgeAt(side * 2, t + 1);
  if (handler == F_STAGE_OPEN) {
    if ((j.flags & SPOILT) != 0) {
      letGo(queue(side, to), 1);
      refuse(side, index, j, t);
      return;
    }
    sample(side, H_RECORD_OPEN, at - j.started);
    if (isDefined(TIMELINE)) onItsWay(P_OUT, side, j, at, U_OPEN, 0);
  } else if (handler == F_STAGE_ZERO) {
    sorted(side, j, sortsOut(side, j), t);
  } else if (handler == F_STAGE_COMPRESS) {
    coded(side, j);
    if (isDefined(TIMELINE)) onItsWay(P_OUT, side, j, at, U_COMPRESS, 0);
  } else if (handler == F_STAGE_UNLZ) {
    decoded(side, j);
  } else if (isDefined(TIMELINE)) {
    onItsWay(P_OUT, side, j, at, U_SEAL, 0);
  }
  pushHeld(queue(side, to), index, at);
}
