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
 * Books windows of one clock each, whose records (u32) start at `records`.
 * @returns how many were scanned, with the bit GIVEN_UP if the last of them gave the job up
 */
export function clockRun(records: usize, windows: u32): u32 {
  let bytes = waitingBytes;
  let sequences = waitingTokens;
  let window: u32 = 0;
  let goesOn = true;
  while (goesOn && window < windows) {
    const record = load<u32>(records + (window << 2));
    bytes = less(bytes, outBytesPerClock) + (record >> 8);
    sequences = less(sequences, tokensPerClock) + (record & 255);
    produced += record >> 8;
    tokens += record & 255;
    ++window;
    goesOn = <i32>produced <= bytesLimit;
    if (goesOn && (bytes > fifoBytes || sequences > fifoBytes >> 3)) {
      waitingBytes = bytes;
      waitingTokens = sequences;
      waitForRoom();
      bytes = waitingBytes;
      sequences = waitingTokens;
    }
  }
  scanClocks += window;
  waitingBytes = bytes;
  waitingTokens = sequences;
  return goesOn ? window : window | GIVEN_UP;
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
