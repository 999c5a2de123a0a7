// SPDX-License-Identifier: Apache-2.0
// The hardware LZ4 encoder, slowly: docs/lz4-hardware.md section by section. It encodes the whole job first
// and asks afterwards what that would have cost and whether the machine would have given up.

/** Section 1. Legal values are those of its table; they are not checked here. */
export interface Lz4HardwareConfig {
  readonly pws: number;
  readonly hashLog: number;
  readonly banks: number;
  readonly ports: number;
  /** 0 drop, 1 stall, 2 coalesce. */
  readonly policy: number;
  readonly matchCap: number;
  readonly multi: number;
  readonly intraForward: number;
  readonly bailMargin: number;
  readonly outBytesPerClock: number;
  readonly tokensPerClock: number;
  readonly outFifoBytes: number;
}

/** Section 7's table and the counters; clocks, lanes, matches and sequences. */
export interface Lz4HardwareResult {
  /** The block; null for a job given up. */
  readonly block: Uint8Array | null;
  readonly cycles: number;
  readonly scanCycles: number;
  readonly outCycles: number;
  readonly drainCycles: number;
  readonly conflicts: number;
  readonly matches: number;
  readonly tokens: number;
}

/** A match found: `length` bytes at `at` equal those `offset` before. */
interface Match {
  readonly at: number;
  readonly length: number;
  readonly offset: number;
}

/** What one window costs and produces. */
interface Window {
  /** s_w, clocks. */
  readonly scanClocks: number;
  readonly conflicts: number;
  /** b_w, bytes. */
  bytes: number;
  /** q_w, sequences. */
  sequences: number;
  /** Matches among the sequences. */
  matches: number;
}

/** One access to the table: one lane, or under coalesce all lanes of the window with this hash. */
interface Access {
  readonly hash: number;
  readonly lanes: number[];
}

const ceilDiv = (a: number, b: number): number => Math.floor((a + b - 1) / b);

// ---- section 2: lookup and insertion ----

function hashAt(job: Uint8Array, p: number, hashLog: number): number {
  const v = job[p]! + 2 ** 8 * job[p + 1]! + 2 ** 16 * job[p + 2]! + 2 ** 24 * job[p + 3]!;
  const product = Math.imul(v, 2654435761) >>> 0; // the product mod 2^32, unsigned
  return product >>> (32 - hashLog);
}

/** The accesses of a window's searching lanes in rising order of their lowest lane. */
function accessesOf(
  lanes: readonly number[],
  hashes: readonly number[],
  config: Lz4HardwareConfig,
): Access[] {
  const accesses: Access[] = [];
  for (const p of lanes) {
    const hash = hashes[p]!;
    const same = accesses.find((access) => access.hash === hash);
    if (config.policy === 2 && same !== undefined) same.lanes.push(p);
    else accesses.push({ hash, lanes: [p] });
  }
  return accesses;
}

/** What the policy makes of a window's accesses. */
interface Served {
  readonly lanes: ReadonlySet<number>;
  readonly conflicts: number;
  readonly clocks: number;
}

function serve(accesses: readonly Access[], config: Lz4HardwareConfig): Served {
  const lanes = new Set<number>();
  let conflicts = 0;
  let clocks = 1;
  const bankOf = (access: Access): number => access.hash % config.banks;
  for (const bank of new Set(accesses.map(bankOf))) {
    const asked = accesses.filter((access) => bankOf(access) === bank);
    const first = asked.slice(0, config.ports);
    const beyond = asked.slice(config.ports);
    for (const access of first) for (const p of access.lanes) lanes.add(p);
    for (const access of beyond) conflicts += access.lanes.length;
    if (config.policy === 1) {
      for (const access of beyond) for (const p of access.lanes) lanes.add(p);
      clocks = Math.max(clocks, ceilDiv(asked.length, config.ports));
    }
  }
  return { lanes, conflicts, clocks };
}

/** The candidate of each searching lane of a window, undefined for none. */
function candidatesOf(
  lanes: readonly number[],
  hashes: readonly number[],
  served: ReadonlySet<number>,
  table: ReadonlyMap<number, number>,
  config: Lz4HardwareConfig,
): Map<number, number | undefined> {
  const candidates = new Map<number, number | undefined>();
  for (const p of lanes) {
    const lower = config.intraForward === 0 ? [] : lanes.filter((q) => q < p && hashes[q] === hashes[p]);
    if (lower.length > 0) candidates.set(p, Math.max(...lower));
    else candidates.set(p, served.has(p) ? table.get(hashes[p]!) : undefined);
  }
  return candidates;
}

// ---- section 3: matches ----

/** length(p, c); 0 if it does not count. */
function lengthOf(job: Uint8Array, p: number, c: number, matchCap: number): number {
  const limit = matchCap === 0 ? job.length : matchCap;
  let length = 0;
  while (length < limit && p + length + 1 <= job.length - 5 && job[p + length] === job[c + length]) length++;
  return length >= 4 ? length : 0;
}

/** The matches that start in a window, given the first position not covered yet. */
function matchesOf(
  job: Uint8Array,
  candidates: ReadonlyMap<number, number | undefined>,
  firstNext: number,
  config: Lz4HardwareConfig,
): Match[] {
  const found: Match[] = [];
  let next = firstNext;
  for (;;) {
    const eligible: Match[] = [];
    for (const [at, candidate] of candidates) {
      if (at < next || candidate === undefined) continue;
      const length = lengthOf(job, at, candidate, config.matchCap);
      if (length > 0) eligible.push({ at, length, offset: at - candidate });
      if (config.multi === 1 && eligible.length > 0) break;
    }
    const rank = (match: Match): number =>
      Math.min(match.length, config.matchCap === 0 ? 32 : config.matchCap);
    const best =
      config.multi === 1 ? eligible[0] : eligible.find((m) => eligible.every((o) => rank(o) <= rank(m)));
    if (best === undefined) return found;
    found.push(best);
    next = best.at + best.length;
    if (config.multi === 0) return found;
  }
}

// ---- section 4: tokens ----

/** The bytes after a nibble of 15; none for lengths below. */
function extension(length: number): number[] {
  const bytes: number[] = [];
  if (length < 15) return bytes;
  let left = length - 15;
  for (; left >= 255; left -= 255) bytes.push(255);
  bytes.push(left);
  return bytes;
}

const extensionBytes = (x: number): number => (x < 15 ? 0 : Math.floor((x - 15) / 255) + 1);

/** The block of a job with these matches. */
function blockOf(job: Uint8Array, matches: readonly Match[]): Uint8Array {
  const out: number[] = [];
  let at = 0;
  for (const match of matches) {
    const literals = job.subarray(at, match.at);
    out.push(16 * Math.min(literals.length, 15) + Math.min(match.length - 4, 15));
    out.push(...extension(literals.length));
    for (const byte of literals) out.push(byte);
    out.push(match.offset % 256, Math.floor(match.offset / 256), ...extension(match.length - 4));
    at = match.at + match.length;
  }
  const literals = job.subarray(at);
  out.push(16 * Math.min(literals.length, 15), ...extension(literals.length));
  for (const byte of literals) out.push(byte);
  return Uint8Array.from(out);
}

// ---- section 5: bytes by window ----

function countBytes(job: Uint8Array, matches: readonly Match[], windows: Window[], pws: number): void {
  const windowOf = (p: number): Window => windows[Math.floor(p / pws)]!;
  let at = 0;
  for (const match of matches) {
    for (let p = at; p < match.at; p++) windowOf(p).bytes++;
    const end = match.at + match.length;
    const window = windowOf(end - 1);
    window.bytes += 3 + extensionBytes(match.at - at) + extensionBytes(match.length - 4);
    window.sequences++;
    window.matches++;
    at = end;
  }
  for (let p = at; p < job.length; p++) windowOf(p).bytes++;
  const last = windows[windows.length - 1]!;
  last.bytes += 1 + extensionBytes(job.length - at);
  last.sequences++;
}

// ---- sections 6 and 7: giving up, clocks ----

function clockJob(
  n: number,
  windows: readonly Window[],
  block: Uint8Array,
  config: Lz4HardwareConfig,
): Lz4HardwareResult {
  const { outBytesPerClock: B, tokensPerClock: T, outFifoBytes: C } = config;
  const Ck = Math.floor(C / 8);
  let F = 0;
  let K = 0;
  let S = 0;
  let X = 0;
  let U = 0;
  let [conflicts, matches, tokens] = [0, 0, 0];
  for (const window of windows) {
    S += window.scanClocks;
    conflicts += window.conflicts;
    matches += window.matches;
    tokens += window.sequences;
    U += window.bytes;
    F = Math.max(0, F - B * window.scanClocks) + window.bytes;
    K = Math.max(0, K - T * window.scanClocks) + window.sequences;
    if (U > n - config.bailMargin) {
      const cycles = S + X;
      return { block: null, cycles, scanCycles: S, outCycles: 0, drainCycles: 0, conflicts, matches, tokens };
    }
    const x = Math.max(0, F > C ? ceilDiv(F - C, B) : 0, K > Ck ? ceilDiv(K - Ck, T) : 0);
    X += x;
    F = Math.max(0, F - B * x);
    K = Math.max(0, K - T * x);
  }
  const outCycles = Math.max(ceilDiv(block.length, B), ceilDiv(tokens, T));
  const cycles = Math.max(S + X, outCycles);
  const drainCycles = S + X + Math.max(ceilDiv(F, B), ceilDiv(K, T)) - cycles;
  return { block, cycles, scanCycles: S, outCycles, drainCycles, conflicts, matches, tokens };
}

/** Encodes a job of at most 65536 bytes. Throws Error where the document contradicts itself. */
export function encodeLz4Hardware(job: Uint8Array, config: Lz4HardwareConfig): Lz4HardwareResult {
  const n = job.length;
  const counters = {
    cycles: 0,
    scanCycles: 0,
    outCycles: 0,
    drainCycles: 0,
    conflicts: 0,
    matches: 0,
    tokens: 0,
  };
  if (n === 0) return { block: null, ...counters };
  const hashes: number[] = [];
  for (let p = 0; p + 12 <= n; p++) hashes.push(hashAt(job, p, config.hashLog));
  const table = new Map<number, number>();
  const windows: Window[] = [];
  const matches: Match[] = [];
  for (let w = 0; w < ceilDiv(n, config.pws); w++) {
    const lanes: number[] = [];
    for (let p = w * config.pws; p < Math.min((w + 1) * config.pws, n); p++) if (p + 12 <= n) lanes.push(p);
    const served = serve(accessesOf(lanes, hashes, config), config);
    const candidates = candidatesOf(lanes, hashes, served.lanes, table, config);
    for (const p of lanes) if (served.lanes.has(p)) table.set(hashes[p]!, p);
    const last = matches[matches.length - 1];
    matches.push(...matchesOf(job, candidates, last === undefined ? 0 : last.at + last.length, config));
    const { clocks, conflicts } = served;
    windows.push({ scanClocks: clocks, conflicts, bytes: 0, sequences: 0, matches: 0 });
  }
  const block = blockOf(job, matches);
  countBytes(job, matches, windows, config.pws);
  const produced = windows.reduce((sum, window) => sum + window.bytes, 0);
  if (produced !== block.length)
    throw new Error(`section 5: ${produced} bytes, the block has ${block.length}`);
  const result = clockJob(n, windows, block, config);
  if ((result.block === null) !== block.length > n - config.bailMargin) {
    throw new Error("section 6: the encoder does not give up exactly when the block is too long");
  }
  return result;
}
