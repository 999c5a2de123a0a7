// SPDX-License-Identifier: Apache-2.0
// Encoders of chunk payloads: the other way round of payload.ts and annotations.ts.

/** Runs of a delta closer than this are joined: two varints cost as much. */
const DELTA_GAP = 4;

/** Gathers a payload. */
export class Bytes {
  private buffer = new Uint8Array(256);
  length = 0;

  reserve(more: number): void {
    if (this.length + more <= this.buffer.length) return;
    const next = new Uint8Array(Math.max(this.buffer.length * 2, this.length + more));
    next.set(this.buffer.subarray(0, this.length));
    this.buffer = next;
  }

  append(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.buffer.set(bytes, this.length);
    this.length += bytes.length;
  }

  varint(value: number): void {
    this.reserve(8);
    let rest = value;
    for (; rest >= 128; rest = Math.floor(rest / 128)) this.buffer[this.length++] = (rest % 128) | 128;
    this.buffer[this.length++] = rest;
  }

  /** 8 bytes, lowest first. */
  u64(value: bigint): void {
    this.reserve(8);
    new DataView(this.buffer.buffer).setBigUint64(this.length, value, true);
    this.length += 8;
  }

  done(): Uint8Array {
    return this.buffer.slice(0, this.length);
  }
}

/** Encodes ascending pfns as runs. */
export function encodePageList(pfns: Uint32Array | readonly number[]): Uint8Array {
  const runs: [number, number][] = [];
  for (const pfn of pfns) {
    const last = runs[runs.length - 1];
    if (last !== undefined && pfn === last[0] + last[1]) last[1]++;
    else if (last === undefined || pfn > last[0] + last[1]) runs.push([pfn, 1]);
    else throw new RangeError(`pfn ${pfn} does not rise`);
  }
  const out = new Bytes();
  out.varint(runs.length);
  let end = 0;
  for (const [first, count] of runs) {
    out.varint(first - end);
    out.varint(count - 1);
    end = first + count;
  }
  return out.done();
}

/** The delta from `before` to `after`; empty if they are equal. */
export function encodeDelta(before: Uint8Array, after: Uint8Array): Uint8Array {
  const out = new Bytes();
  let end = 0;
  for (let at = 0; at < after.length; ) {
    if (before[at] === after[at]) {
      at++;
      continue;
    }
    let stop = at + 1;
    for (let k = stop; k < after.length && k - stop < DELTA_GAP; k++)
      if (before[k] !== after[k]) stop = k + 1;
    out.varint(at - end);
    out.varint(stop - at);
    out.append(after.subarray(at, stop));
    end = stop;
    at = stop;
  }
  return out.done();
}

/** A HASH payload: the page list, then a hash a page. */
export function encodeHashes(pfns: Uint32Array, hashes: readonly bigint[]): Uint8Array {
  const out = new Bytes();
  out.append(encodePageList(pfns));
  for (const hash of hashes) out.u64(hash);
  return out.done();
}

/** A CSIZ payload: the compressor's name, the page list, then a size a page. */
export function encodeSizes(compressor: string, pfns: Uint32Array, sizes: readonly number[]): Uint8Array {
  const name = new TextEncoder().encode(compressor);
  const out = new Bytes();
  out.varint(name.length);
  out.append(name);
  out.append(encodePageList(pfns));
  for (const size of sizes) out.varint(size);
  return out.done();
}
