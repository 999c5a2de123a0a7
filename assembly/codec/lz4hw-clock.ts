// SPDX-License-Identifier: Apache-2.0
/**
 * The clocks of the hardware LZ4 encoder: docs/lz4-hardware.md, sections 6 and 7.
 *
 * Models     the packer behind the scan: bounded queues of bytes and of sequences, drained at fixed rates.
 * In, out    per window: bytes and sequences produced, clocks the scan spent; out: the clocks of the job.
 * Time       II = max(S + X, O): scan and waiting for room, or the packer alone.
 * Leaves out what the job before left in the queues.
 */
let outBytesPerClock: u32 = 16;
let tokensPerClock: u32 = 2;
let fifoBytes: u32 = 256;

/** Set in the answer of clockRun. */
export const GIVEN_UP: u32 = 0x80000000;

let bytesLimit: i32 = 0;
let produced: u32 = 0;
let waitingBytes: u32 = 0;
let waitingTokens: u32 = 0;
let scanClocks: u32 = 0;
let waitClocks: u32 = 0;
let outClocks: u32 = 0;
let intervalClocks: u32 = 0;
let drainClocks: u32 = 0;
let tokens: u32 = 0;

/** Sets the packer: bytes and sequences per clock, bytes of its queue. */
export function clockConfigure(bytesPerClock: u32, sequencesPerClock: u32, queueBytes: u32): void {
  outBytesPerClock = bytesPerClock;
  tokensPerClock = sequencesPerClock;
  fifoBytes = queueBytes;
}

/** Starts a job that is given up beyond `limit` bytes. */
export function clockStart(limit: i32): void {
  bytesLimit = limit;
  produced = 0;
  waitingBytes = 0;
  waitingTokens = 0;
  scanClocks = 0;
  waitClocks = 0;
  outClocks = 0;
  intervalClocks = 0;
  drainClocks = 0;
  tokens = 0;
}

// @ts-ignore: decorator
@inline
function ceilDiv(a: u32, b: u32): u32 {
  return (a + b - 1) / b;
}

/** a − b, not below 0. */
// @ts-ignore: decorator
@inline
export function less(a: u32, b: u32): u32 {
  return a > b ? a - b : 0;
}

/** The clocks for which the scan waits for room. Kept apart: it is rare. */
function waitForRoom(): void {
  const bytesWait = ceilDiv(less(waitingBytes, fifoBytes), outBytesPerClock);
  const tokensWait = ceilDiv(less(waitingTokens, fifoBytes >> 3), tokensPerClock);
  const wait = max<u32>(bytesWait, tokensWait);
  waitClocks += wait;
  waitingBytes = less(waitingBytes, outBytesPerClock * wait);
  waitingTokens = less(waitingTokens, tokensPerClock * wait);
}

/** Books a scanned window that produced `bytes << 8 | sequences`. @returns false when the job is given up */
// @ts-ignore: decorator
@inline
export function clockWindow(record: u32, clocks: u32): bool {
  const bytes = record >> 8;
  const sequences = record & 255;
  scanClocks += clocks;
  tokens += sequences;
  produced += bytes;
  waitingBytes = less(waitingBytes, outBytesPerClock * clocks) + bytes;
  waitingTokens = less(waitingTokens, tokensPerClock * clocks) + sequences;
  if (<i32>produced > bytesLimit) return false;
  if (waitingBytes > fifoBytes || waitingTokens > fifoBytes >> 3) waitForRoom();
  return true;
}

/**
 * What clockPage's loop needs of constants, in memory because a load is cheaper than making them again in
 * each window: positions and clocks per window, what drains in a clock, what may wait or be produced.
 */
const STEP = memory.data(48, 16);

function placeConstants(): void {
  v128.store(STEP, i32x4(16, 0, 16, 0));
  v128.store(STEP, pair(outBytesPerClock, tokensPerClock, i32x4.splat(0)), 16);
  const most = pair(fifoBytes, fifoBytes >> 3, i32x4.splat(i32.MAX_VALUE));
  v128.store(STEP, i32x4.replace_lane(most, 2, bytesLimit), 32);
}

/**
 * Books the windows of a page, one clock each, from their milestones (lz4hw-page.ts), 8 bytes each: one
 * before the first window's, then one for each. The last window's is to hold what the whole job produced.
 * @returns how many were scanned, with the bit GIVEN_UP if the last of them gave the job up
 */
export function clockPage(milestones: usize, windows: u32): u32 {
  placeConstants();
  const none = i32x4.splat(0);
  const end = milestones + (windows << 3);
  let at = milestones;
  let milestone = v128.load16x4_s(at);
  let windowEnd = none;
  let before = none;
  // Waiting bytes and sequences, then (they do not drain) all bytes and sequences.
  let state = none;
  let goesOn = true;
  while (goesOn && at < end) {
    // The call of waitForRoom stays out of this loop, or what is in registers would not stay there.
    do {
      at += 8;
      const own = v128.load16x4_s(at);
      const isNone = i32x4.eq(v128.shuffle<i32>(own, own, 1, 1, 1, 1), none);
      milestone = v128.bitselect(milestone, own, isNone);
      windowEnd = i32x4.add(windowEnd, v128.load(STEP));
      const literalsEnd = i32x4.min_s(v128.shuffle<i32>(milestone, milestone, 2, 2, 2, 2), windowEnd);
      const all = i32x4.add(v128.shuffle<i32>(milestone, milestone, 0, 1, 0, 1), literalsEnd);
      state = i32x4.max_s(i32x4.sub(state, v128.load(STEP, 16)), none);
      state = i32x4.add(state, i32x4.sub(all, before));
      before = all;
    } while (at < end && !v128.any_true(i32x4.gt_s(state, v128.load(STEP, 32))));
    waitingBytes = i32x4.extract_lane(state, 0);
    waitingTokens = i32x4.extract_lane(state, 1);
    produced = i32x4.extract_lane(state, 2);
    goesOn = <i32>produced <= bytesLimit;
    if (goesOn && (waitingBytes > fifoBytes || waitingTokens > fifoBytes >> 3)) waitForRoom();
    state = pair(waitingBytes, waitingTokens, state);
  }
  const scanned = (<u32>(at - milestones)) >> 3;
  scanClocks = scanned;
  tokens = i32x4.extract_lane(state, 3);
  return goesOn ? scanned : scanned | GIVEN_UP;
}

/** `rest`, with the first two lanes set. */
// @ts-ignore: decorator
@inline
function pair(first: u32, second: u32, rest: v128): v128 {
  return i32x4.replace_lane(i32x4.replace_lane(rest, 0, first), 1, second);
}

/** Ends the job; a finished one still has to leave the packer. */
export function clockFinish(finished: bool): void {
  const scanned = scanClocks + waitClocks;
  intervalClocks = scanned;
  if (!finished) return;
  outClocks = max<u32>(ceilDiv(produced, outBytesPerClock), ceilDiv(tokens, tokensPerClock));
  intervalClocks = max<u32>(scanned, outClocks);
  const tail = max<u32>(ceilDiv(waitingBytes, outBytesPerClock), ceilDiv(waitingTokens, tokensPerClock));
  drainClocks = scanned + tail - intervalClocks;
}

/** Initiation interval of the last job, clocks. */
export function lz4hwCycles(): u32 {
  return intervalClocks;
}

/** S: clocks of the scan alone, conflict stalls included, waiting for room not. */
export function lz4hwScanCycles(): u32 {
  return scanClocks;
}

/** O: clocks of the packer alone; 0 for a job given up. */
export function lz4hwOutCycles(): u32 {
  return outClocks;
}

/** D: clocks after the interval until the queues are empty, hidden by the next job. */
export function lz4hwDrainCycles(): u32 {
  return drainClocks;
}

/** Sequences of the last job, the closing one included, as far as it was scanned. */
export function lz4hwTokens(): u32 {
  return tokens;
}
