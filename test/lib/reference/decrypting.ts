// SPDX-License-Identifier: Apache-2.0
/**
 * A destination's card that decrypts on demand, from docs/model.md section 21: what it keeps of the records
 * of the rounds, and when it opens which page. Given are the records, when the last round was placed, when
 * the host said that the guest runs, when it asked for which page, and when plain pages were handed to PCIe.
 */

/** A record of the rounds, in order of rounds. */
export interface Arrived {
  pfn: number;
  zero: boolean;
}

export interface Kept {
  /** Pages whose last record is sealed. */
  sealed: Set<number>;
  /** Of them, those that came in more than one round. */
  hot: Set<number>;
  /** Sealed records that a later one replaced. */
  replaced: number;
  /** Entries of the table written: one a sealed record, one a zero page over a sealed one. */
  entries: number;
}

/** What the card holds when all of these have been placed. */
export function keeping(records: readonly Arrived[]): Kept {
  const kept: Kept = { sealed: new Set(), hot: new Set(), replaced: 0, entries: 0 };
  const times = new Map<number, number>();
  for (const { pfn, zero } of records) {
    times.set(pfn, (times.get(pfn) ?? 0) + 1);
    const was = kept.sealed.has(pfn);
    if (was) kept.replaced++;
    if (was || !zero) kept.entries++;
    if (zero) kept.sealed.delete(pfn);
    else kept.sealed.add(pfn);
  }
  for (const pfn of kept.sealed) if (times.get(pfn)! > 1) kept.hot.add(pfn);
  return kept;
}

/** A page that is opened. */
export interface Begun {
  at: number;
  pfn: number;
  asked: boolean;
}

export interface OpeningShape {
  /** Period of the control clock, a ratio of ticks. */
  period: readonly [num: number, den: number];
  /** Pages opened unasked that are in hand at most. */
  ahead: number;
  /** Ticks from a page that is opened unasked after the resume to the next. */
  span: number;
  placed: number;
  resumed: number;
}

/** First edge of a clock at or after t. */
function edge([num, den]: readonly [number, number], t: number): number {
  const [n, d] = [BigInt(num), BigInt(den)];
  // the k-th edge is the first tick not before k n / d
  const at = (k: bigint): bigint => (k * n + d - 1n) / d;
  let k = (BigInt(t) * d) / n;
  while (at(k) < BigInt(t)) k++;
  return Number(at(k));
}

interface Entry {
  at: number;
  pfn: number;
}

/** Opens the pages one look of the firmware after another. `handed`: what leaves, first those of `set`. */
export function opening(
  shape: OpeningShape,
  set: ReadonlySet<number>,
  rest: ReadonlySet<number>,
  asked: readonly Entry[],
  handed: readonly (Entry & { asked: boolean })[],
): { begun: Begun[]; opened: number } {
  const begun: Begun[] = [];
  let inHand = 0;
  let left = [...set].toSorted((a, b) => a - b);
  let from = 0;
  let span = 0;
  const asks = [...asked];
  const leaves = [...handed];
  const take = (at: number, pfn: number, wasAsked: boolean): void => {
    begun.push({ at, pfn, asked: wasAsked });
    left = left.filter((other) => other !== pfn);
  };
  /** What the firmware sees at an edge: what left before it, then what is asked for at it. */
  const look = (at: number): void => {
    while (leaves.length > 0 && leaves[0]!.at < at) if (!leaves.shift()!.asked) inHand--;
    while (asks.length > 0 && asks[0]!.at <= at) {
      const { pfn } = asks.shift()!;
      if (left.includes(pfn)) take(at, pfn, true);
    }
    while (left.length > 0 && inHand < shape.ahead && at >= from) {
      take(at, left[0]!, false);
      inHand++;
      if (span > 0) from = at + span;
    }
  };
  /** The next time at which anything may have changed. */
  const next = (at: number): number => {
    const times = [asks[0]?.at, leaves[0] === undefined ? undefined : leaves[0].at + 1];
    if (left.length > 0 && from > at) times.push(from);
    return edge(shape.period, Math.min(...times.map((t) => t ?? Number.POSITIVE_INFINITY)));
  };
  /** Looks at a time, and at each that follows while there is a reason. */
  const lookFrom = (first: number, goesOn: () => boolean): number => {
    let at = first;
    look(at);
    while (goesOn()) {
      at = next(at);
      look(at);
    }
    return at;
  };
  const opened = lookFrom(shape.placed, () => left.length > 0 || inHand > 0);
  left = [...rest].toSorted((a, b) => a - b);
  [from, span] = [shape.resumed, shape.span];
  lookFrom(shape.resumed, () => left.length > 0);
  return { begun, opened };
}
