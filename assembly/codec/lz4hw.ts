// SPDX-License-Identifier: Apache-2.0
/**
 * The LZ4 encoder of a card: windows of positions per clock, a banked hash memory, no feedback.
 *
 * Models     the machine of docs/lz4-hardware.md; the section numbers below are that page's.
 * In, out    one job of up to 64 KiB (a page is 4096 bytes); a legal LZ4 block, or 0 when it is given up.
 * Time       II = max(S + X, O): scan and waiting for room, or the packer (section 7); counted, and a pure
 *            function of bytes and parameters, so a memo may keep it.
 * Leaves out section 8: queue state between jobs, history memory ports, dictionaries, more than one way.
 * Sources    Fowers et al., FCCM 2015; Chen, Song and Wang, arXiv 2409.12433. The defaults are assumed.
 *
 * Empty entries need no mark: the table is cleared to 0, and an empty entry then names position 0. That one
 * is always served in window 0 (whose own lookups see nothing), so bytes like its four find a filled entry.
 */
import { clockConfigure, clockFinish, clockStart, clockWindow, less, lz4hwTokens } from "./lz4hw-clock";
import { TABLE } from "./lz4hw-lanes";
import { PAGE_BYTES_MAX, PAGE_HASH_LOG_MAX, pageCompress, pageConflicts, pageFinished } from "./lz4hw-page";
import {
  LAST_LITERALS,
  LZ4_INPUT_BYTES_MAX,
  MATCH_START_MARGIN,
  MIN_MATCH,
  lz4CountEqual,
  lz4ExtraBytes,
  lz4PutLast,
  lz4PutSequence,
} from "./lz4-parts";

export { lz4hwCycles, lz4hwDrainCycles, lz4hwOutCycles, lz4hwScanCycles, lz4hwTokens } from "./lz4hw-clock";

export const LZ4HW_DROP: u32 = 0;
export const LZ4HW_STALL: u32 = 1;
export const LZ4HW_COALESCE: u32 = 2;

const HASH_LOG_MAX: u32 = 15;
const LANES_MAX: u32 = 64;
const BANKS_MAX: u32 = 256;
const COMPARE_BYTES: u32 = 32;
const NONE: u32 = 0xffffffff;

/** u32 per entry, `stamp << 6 | lane` of the last lane that hashed here; never cleared, stamps rise. */
const SEEN = memory.data(131072, 16);
/** Per lane of the window at hand: u32 entry, u32 candidate, u8 served. Per bank: u32 accesses. */
const LANE_ENTRY = memory.data(256, 16);
const LANE_CANDIDATE = memory.data(256, 16);
const LANE_SERVED = memory.data(64, 16);
const BANK_USE = memory.data(1024, 16);
/** Per window of the job: u32 `bytes << 8 | sequences` that it produces. */
const PRODUCED = memory.data(262160, 16);

// Parameters (section 1).
let windowLog: u32 = 4;
let hashShift: u32 = 20;
let tableBytes: u32 = 8192;
let bankMask: u32 = 31;
let ports: u32 = 2;
let policy: u32 = 0;
let matchCap: u32 = 0;
let multi: bool = true;
let intraForward: bool = false;
let bailMargin: u32 = 64;
let fastPath: bool = true;

// The job at hand.
let src: usize = 0;
let srcEnd: usize = 0;
let op: usize = 0;
let writeEnd: usize = 0;
let fits: bool = true;
let next: u32 = 0;
let stamp: u32 = 0;

let conflicts: u32 = 0;
let finished: bool = false;

function isPowerOfTwo(value: u32, most: u32): bool {
  return value != 0 && value <= most && (value & (value - 1)) == 0;
}

// @ts-ignore: decorator
@inline
function isWithin(value: u32, least: u32, most: u32): bool {
  return value >= least && value <= most;
}

/**
 * Sets the machine for all following jobs; meanings and ranges in section 1.
 * @returns false, and nothing changes, when a value is outside its range
 */
export function lz4hwConfigure(
  pws: u32,
  hashLog: u32,
  bankCount: u32,
  portsPerBank: u32,
  conflictPolicy: u32,
  matchBytesMax: u32,
  multiMatch: u32,
  forward: u32,
  bailMarginBytes: u32,
  bytesPerClock: u32,
  sequencesPerClock: u32,
  outFifoBytes: u32,
): bool {
  if (!isPowerOfTwo(pws, LANES_MAX) || !isWithin(hashLog, 6, HASH_LOG_MAX)) return false;
  if (!isPowerOfTwo(bankCount, min<u32>(BANKS_MAX, (<u32>1) << hashLog)) || !isWithin(portsPerBank, 1, 64))
    return false;
  if (conflictPolicy > LZ4HW_COALESCE || multiMatch > 1 || forward > 1) return false;
  if (matchBytesMax != 0 && !isWithin(matchBytesMax, MIN_MATCH, 65535)) return false;
  if (bailMarginBytes > LZ4_INPUT_BYTES_MAX || !isWithin(outFifoBytes, 64, 65536)) return false;
  if (!isWithin(bytesPerClock, 1, 1024) || !isWithin(sequencesPerClock, 1, 64)) return false;
  windowLog = ctz(pws);
  hashShift = 32 - hashLog;
  tableBytes = (<u32>2) << hashLog;
  bankMask = bankCount - 1;
  ports = portsPerBank;
  policy = conflictPolicy;
  matchCap = matchBytesMax;
  multi = multiMatch != 0;
  intraForward = forward != 0;
  bailMargin = bailMarginBytes;
  clockConfigure(bytesPerClock, sequencesPerClock, outFifoBytes);
  fastPath = pws == 16 && bankCount == 32 && ports == 2 && policy == LZ4HW_DROP && matchCap == 0;
  fastPath = fastPath && multi && !intraForward && hashLog <= PAGE_HASH_LOG_MAX;
  return true;
}

/**
 * Books the match of [at, end): its bytes are no literals of their windows, its overhead falls to the window
 * of its last byte (section 5).
 */
// @ts-ignore: decorator
@inline
function produceMatch(at: u32, end: u32, overhead: u32, log: u32): void {
  const pws = (<u32>1) << log;
  let record = PRODUCED + ((at >> log) << 2);
  const inFirst = min<u32>(end - at, pws - (at & (pws - 1)));
  store<u32>(record, load<u32>(record) - (inFirst << 8));
  let left = end - at - inFirst;
  while (left > pws) {
    record += 4;
    store<u32>(record, 0);
    left -= pws;
  }
  store<u32>(record, load<u32>(record, 4) - (left << 8), 4);
  record = PRODUCED + (((end - 1) >> log) << 2);
  store<u32>(record, load<u32>(record) + ((overhead << 8) | 1));
}

/** Books every byte as a literal; matches take them out again. */
function produceLiterals(jobBytes: u32, windows: u32): void {
  const full = i32x4.splat(<i32>((<u32>256) << windowLog));
  for (let record: u32 = 0; record < windows << 2; record += 16) v128.store(PRODUCED + record, full);
  const last = windows - 1;
  store<u32>(PRODUCED + (last << 2), (jobBytes - (last << windowLog)) << 8);
}

/** Writes a sequence with a match; sets `fits` to false, for good, when there is no room. */
function putSequence(anchor: usize, literals: u32, offset: u32, more: u32, overhead: u32): void {
  if (op + overhead + literals > writeEnd) {
    fits = false;
    writeEnd = 0;
  }
  if (!fits) return;
  op = lz4PutSequence(op, anchor, literals, offset, more, srcEnd, writeEnd);
}

/** Takes the match of `length` bytes at position `at` (sections 4 and 5). */
function takeMatch(at: u32, candidate: u32, length: u32): void {
  const literals = at - next;
  const more = length - MIN_MATCH;
  const overhead = 3 + lz4ExtraBytes(literals) + lz4ExtraBytes(more);
  putSequence(src + next, literals, at - candidate, more, overhead);
  next = at + length;
  produceMatch(at, next, overhead, windowLog);
}

/** Length of the match of `at` with `candidate`, 0 if there is none (section 3). */
// @ts-ignore: decorator
@inline
function matchLength(at: u32, candidate: u32): u32 {
  const a = src + at;
  const b = src + candidate;
  if (candidate == NONE || load<u32>(a) != load<u32>(b)) return 0;
  const length = MIN_MATCH + lz4CountEqual(a + MIN_MATCH, b + MIN_MATCH, srcEnd - LAST_LITERALS);
  return matchCap == 0 ? length : min<u32>(length, matchCap);
}

/** Looks up lane by lane (section 2). @returns the clocks that the window takes */
function lookUp(windowStart: u32, lanes: u32): u32 {
  const tracking = policy == LZ4HW_COALESCE || intraForward;
  memory.fill(BANK_USE, 0, (bankMask + 1) << 2);
  ++stamp;
  let most: u32 = 0;
  for (let lane: u32 = 0; lane < lanes; ++lane) {
    const entry = (load<u32>(src + windowStart + lane) * 2654435761) >>> hashShift;
    let twin = NONE;
    if (tracking) {
      const seen = load<u32>(SEEN + (entry << 2));
      if (seen >> 6 == stamp) twin = seen & 63;
      store<u32>(SEEN + (entry << 2), (stamp << 6) | lane);
    }
    let served: bool = true;
    if (policy == LZ4HW_COALESCE && twin != NONE) {
      served = load<bool>(LANE_SERVED + twin);
      if (!served) ++conflicts;
    } else {
      const bank = BANK_USE + ((entry & bankMask) << 2);
      const use = load<u32>(bank) + 1;
      store<u32>(bank, use);
      most = max<u32>(most, use);
      if (use > ports) {
        ++conflicts;
        served = policy == LZ4HW_STALL;
      }
    }
    let candidate = NONE;
    if (intraForward && twin != NONE) candidate = windowStart + twin;
    else if (served && windowStart != 0) candidate = load<u16>(TABLE + (entry << 1));
    store<u32>(LANE_ENTRY + (lane << 2), entry);
    store<u32>(LANE_CANDIDATE + (lane << 2), candidate);
    store<bool>(LANE_SERVED + lane, served);
  }
  return policy == LZ4HW_STALL && most > ports ? (most + ports - 1) / ports : 1;
}

/** Chooses among the candidates of the window (section 3). */
function choose(windowStart: u32, lanes: u32): void {
  const measure = matchCap == 0 ? COMPARE_BYTES : matchCap;
  let bestMeasure: u32 = 0;
  let bestLength: u32 = 0;
  let bestAt: u32 = 0;
  let at = max<u32>(next, windowStart);
  const end = windowStart + lanes;
  while (at < end) {
    const candidate = load<u32>(LANE_CANDIDATE + ((at - windowStart) << 2));
    const length = matchLength(at, candidate);
    if (length != 0 && multi) {
      takeMatch(at, candidate, length);
      at = next;
      continue;
    }
    if (min<u32>(length, measure) > bestMeasure) {
      bestMeasure = min<u32>(length, measure);
      bestLength = length;
      bestAt = at;
    }
    ++at;
  }
  if (bestLength == 0) return;
  const candidate = load<u32>(LANE_CANDIDATE + ((bestAt - windowStart) << 2));
  takeMatch(bestAt, candidate, bestLength);
}

/** Scans one window of any machine. @returns false when the job is given up */
function scanWindow(window: u32, jobBytes: u32): bool {
  const pws = (<u32>1) << windowLog;
  const windowStart = window << windowLog;
  const windowEnd = min<u32>(windowStart + pws, jobBytes);
  const lanes = min<u32>(less(jobBytes, windowStart + MATCH_START_MARGIN - 1), pws);
  const clocks = lookUp(windowStart, lanes);
  choose(windowStart, lanes);
  for (let lane: u32 = 0; lane < lanes; ++lane) {
    if (!load<bool>(LANE_SERVED + lane)) continue;
    store<u16>(TABLE + (load<u32>(LANE_ENTRY + (lane << 2)) << 1), windowStart + lane);
  }
  if (windowEnd == jobBytes) {
    const record = PRODUCED + (window << 2);
    store<u32>(record, load<u32>(record) + ((1 + lz4ExtraBytes(jobBytes - next)) << 8) + 1);
    op = fits ? lz4PutLast(op, src + next, jobBytes - next, writeEnd) : 0;
    finished = true;
  }
  return clockWindow(load<u32>(PRODUCED + (window << 2)), clocks);
}

/**
 * Compresses one job as the configured machine does; its counters stand until the next job.
 * @param from, len the job, at most 65536 bytes
 * @param dst, cap where the block goes
 * @returns bytes of a legal LZ4 block; 0 when the job is given up (stored raw) or does not fit into `cap`
 */
export function lz4hwCompress(from: usize, len: u32, dst: usize, cap: u32): u32 {
  const limit = <i32>len - <i32>bailMargin;
  clockStart(limit);
  conflicts = 0;
  finished = false;
  if (len == 0 || len > LZ4_INPUT_BYTES_MAX) return 0;
  if (fastPath && len <= PAGE_BYTES_MAX) {
    const size = pageCompress(from, len, dst, cap, limit, 32 - hashShift);
    conflicts = pageConflicts();
    finished = pageFinished();
    return size;
  }
  src = from;
  srcEnd = from + len;
  op = dst;
  writeEnd = dst + min<u32>(cap, max<i32>(limit, 0));
  fits = true;
  next = 0;
  if (stamp >= 0x3f00000) {
    memory.fill(SEEN, 0, 131072);
    stamp = 0;
  }
  const windows = (len + ((<u32>1) << windowLog) - 1) >> windowLog;
  memory.fill(TABLE, 0, tableBytes);
  produceLiterals(len, windows);
  let window: u32 = 0;
  while (window < windows && scanWindow(window, len)) ++window;
  clockFinish(window == windows);
  return window == windows && op != 0 ? <u32>(op - dst) : 0;
}

/** Lanes of the last job that were not served in the first clock of their window. */
export function lz4hwConflicts(): u32 {
  return conflicts;
}

/** Matches of the last job, as far as it was scanned. */
export function lz4hwMatches(): u32 {
  return finished ? lz4hwTokens() - 1 : lz4hwTokens();
}
