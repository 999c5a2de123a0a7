// SPDX-License-Identifier: Apache-2.0
// The arena: everything a run needs is laid out here while the board is built; nothing grows afterwards.

let top: usize = 0;

/** Bytes laid out so far, from address 0. */
export function arenaTop(): usize {
  return top == 0 ? __heap_base : top;
}

/** Forget everything laid out: a new board is about to be built. */
export function arenaReset(): void {
  top = __heap_base;
}

/** Lays out `bytes` zeroed bytes, 64-aligned, growing the memory; 0 when 4 GiB would not hold them. */
export function reserve(bytes: u64): usize {
  if (top == 0) top = __heap_base;
  const start: u64 = (<u64>top + 63) & ~63;
  const end = start + bytes;
  if (end > 0xffff0000) return 0;
  const have = (<u64>memory.size()) << 16;
  if (end > have) {
    const more = <i32>((end - have + 65535) >> 16);
    if (memory.grow(more) < 0) return 0;
    // fresh pages are zero; what lay below `have` may not be
    if (start < have) memory.fill(<usize>start, 0, <usize>(have - start));
  } else {
    memory.fill(<usize>start, 0, <usize>bytes);
  }
  top = <usize>end;
  return <usize>start;
}
