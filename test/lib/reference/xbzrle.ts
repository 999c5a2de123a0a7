// SPDX-License-Identifier: Apache-2.0
// XBZRLE byte by byte, from the description of the format (QEMU's docs/devel/migration/xbzrle.rst):
//
//   page = zrun nzrun | zrun nzrun page    zrun = length    nzrun = length byte…    length = ULEB128
//
// Here the page is cut into runs first and written down afterwards, so that nothing depends on where a word
// begins; lengths are written by dividing.

/** A run of bytes that differ: where it begins and the new bytes. */
export interface Run {
  readonly start: number;
  readonly bytes: Uint8Array;
}

/** The runs of bytes that differ, each as long as it can be. */
export function runsOf(old: Uint8Array, page: Uint8Array): Run[] {
  const runs: Run[] = [];
  let start = -1;
  for (let i = 0; i <= page.length; i++) {
    const differs = i < page.length && old[i] !== page[i];
    if (differs && start < 0) start = i;
    if (!differs && start >= 0) {
      runs.push({ start, bytes: page.slice(start, i) });
      start = -1;
    }
  }
  return runs;
}

function uleb(value: number): number[] {
  const low = value % 128;
  const rest = (value - low) / 128;
  return rest === 0 ? [low] : [low + 128, ...uleb(rest)];
}

/** The delta that brings `old` to `page`; empty when they are equal. */
export function encodeXbzrle(old: Uint8Array, page: Uint8Array): Uint8Array {
  const out: number[] = [];
  let done = 0;
  for (const { start, bytes } of runsOf(old, page)) {
    out.push(...uleb(start - done), ...uleb(bytes.length), ...bytes);
    done = start + bytes.length;
  }
  return Uint8Array.from(out);
}

/** The same as QEMU's encoder goes through a page; null where it gives up for want of room. */
export function encodeAsQemu(old: Uint8Array, page: Uint8Array, room = page.length): Uint8Array | null {
  const out: number[] = [];
  let at = 0;
  const passUntil = (differ: boolean): number => {
    const from = at;
    while (at < page.length && (old[at] !== page[at]) !== differ) at++;
    return at - from;
  };
  // a run is begun with room for two bytes at least, also the last one, which is then left out
  while (at < page.length) {
    if (room - out.length < 2) return null;
    const same = passUntil(true);
    if (at === page.length) break;
    out.push(...uleb(same));
    if (room - out.length < 2) return null;
    const from = at;
    const changed = passUntil(false);
    out.push(...uleb(changed));
    if (room - out.length < changed) return null;
    for (const byte of page.subarray(from, at)) out.push(byte);
  }
  return Uint8Array.from(out);
}

/** The runs of a delta for a page of `length` bytes, null when it is malformed. Lengths have 14 bits. */
export function readXbzrle(delta: Uint8Array, length: number): Run[] | null {
  const runs: Run[] = [];
  const left = [...delta];
  const take = (): number => {
    const low = left.shift();
    if (low === undefined || low < 128) return low ?? Number.NaN;
    const high = left.shift();
    return high === undefined || high > 127 ? Number.NaN : low - 128 + 128 * high;
  };
  let done = 0;
  while (left.length > 0) {
    const same = take();
    const count = take();
    const first = runs.length === 0;
    if (Number.isNaN(same) || Number.isNaN(count) || count === 0 || (same === 0 && !first)) return null;
    if (left.length < count || done + same + count > length) return null;
    runs.push({ start: done + same, bytes: Uint8Array.from(left.splice(0, count)) });
    done += same + count;
  }
  return runs;
}

/** The page that a delta makes of `old`, null when it is malformed. */
export function decodeXbzrle(delta: Uint8Array, old: Uint8Array): Uint8Array | null {
  const runs = readXbzrle(delta, old.length);
  if (runs === null) return null;
  const page = Uint8Array.from(old);
  for (const { start, bytes } of runs) page.set(bytes, start);
  return page;
}
