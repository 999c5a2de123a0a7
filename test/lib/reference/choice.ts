// SPDX-License-Identifier: Apache-2.0
/**
 * Compression that pays, a second time: from what was recorded of link and encoders to what the firmware has
 * to choose at each of its looks, by docs/model.md section 5. Times are ticks.
 */

/** A frame that leaves the source's port: when, with how many bytes of payload, on which link. */
export interface SentFrame {
  readonly at: number;
  readonly payload: number;
  readonly link: number;
  /** When the port is free again. */
  readonly freeAt: number;
}

/** Bytes that the port may see from a time on. */
export interface SeenBytes {
  readonly at: number;
  readonly bytes: number;
  readonly link: number;
}

/** A page in an encoder: when it began and ended, and what it became. */
export interface CodedPage {
  readonly at: number;
  readonly end: number;
  readonly bytes: number;
}

export interface Recorded {
  readonly frames: readonly SentFrame[];
  readonly seen: readonly SeenBytes[];
  readonly coded: readonly CodedPage[];
  readonly engines: number;
  /** Bytes of a record beside its payload. */
  readonly aroundBytes: number;
}

/** Time up to `until` in which a frame was on the wire or bytes waited for it, moment by moment. */
function busyUntil({ frames, seen }: Recorded, until: number): number {
  const moments = new Set([0, until]);
  for (const { at, freeAt } of frames) for (const t of [at, freeAt]) if (t < until) moments.add(t);
  for (const { at } of seen) if (at < until) moments.add(at);
  const times = [...moments].sort((a, b) => a - b);
  const waiting = [0, 0];
  let [frame, bytes, wireFree, busy] = [0, 0, 0, 0];
  for (const [i, t] of times.slice(0, -1).entries()) {
    for (; bytes < seen.length && seen[bytes]!.at <= t; bytes++)
      waiting[seen[bytes]!.link]! += seen[bytes]!.bytes;
    for (; frame < frames.length && frames[frame]!.at <= t; frame++) {
      waiting[frames[frame]!.link]! -= frames[frame]!.payload;
      wireFree = frames[frame]!.freeAt;
    }
    if (wireFree > t || waiting.some((left) => left > 0)) busy += times[i + 1]! - t;
  }
  return busy;
}

const sum = (values: readonly number[]): bigint => values.reduce((all, one) => all + BigInt(one), 0n);

/** Whether pages are coded after each look; they are before the first. */
export function choicesAt(looks: readonly number[], recorded: Recorded): boolean[] {
  const { frames, coded, engines, aroundBytes } = recorded;
  let coding = true;
  // where the counters stood when they were used last
  let [busyThen, framesThen, codedThen] = [0, 0, 0];
  let link: { ps: bigint; bytes: bigint } | null = null;
  let coder: { mean: bigint; ps: bigint } | null = null;
  return looks.map((t) => {
    const framesNow = frames.filter(({ at }) => at <= t).length;
    const bytes = sum(frames.slice(framesThen, framesNow).map(({ payload }) => payload));
    if (bytes > 0n) {
      const busy = busyUntil(recorded, t);
      link = { ps: BigInt(busy - busyThen) / 1024n, bytes };
      [busyThen, framesThen] = [busy, framesNow];
    }
    const pages = coded.filter(({ at }) => at <= t).slice(codedThen);
    if (pages.length > 0) {
      const n = BigInt(pages.length);
      const ps = sum(pages.map(({ at, end }) => end - at)) / 1024n;
      coder = { mean: sum(pages.map((page) => page.bytes)) / n, ps: ps / (n * BigInt(engines)) };
      codedThen += pages.length;
    }
    if (link === null || coder === null) return coding;
    const onLink = (payload: bigint): bigint => ((payload + BigInt(aroundBytes)) * link!.ps) / link!.bytes;
    const raw = onLink(4096n);
    const small = onLink(coder.mean);
    const limit = small > coder.ps ? small : coder.ps;
    // another way only when it is better by a sixteenth
    if (coding && 16n * limit > 17n * raw) coding = false;
    else if (!coding && 16n * raw > 17n * limit) coding = true;
    return coding;
  });
}

/** A page at the zero filter: when it leaves. */
export interface Leaving {
  readonly at: number;
}

/** Whether each page is coded: all while that is chosen, else the one after 31 that were not. */
export function routes(
  pages: readonly Leaving[],
  looks: readonly number[],
  choices: readonly boolean[],
): boolean[] {
  let raw = 0;
  return pages.map(({ at }) => {
    const look = looks.filter((t) => t < at).length;
    const coded = look === 0 || choices[look - 1]! || raw === 31;
    raw = coded ? 0 : raw + 1;
    return coded;
  });
}

/** How often the firmware is asked: when a window of pages has gone, and it has answered the time before. */
export function asks(pages: readonly Leaving[], looks: readonly number[], window: number): number {
  let [since, asked] = [0, 0];
  for (const { at } of pages) {
    since++;
    const answered = looks.filter((t) => t < at).length;
    if (since < window || asked > answered) continue;
    since = 0;
    asked++;
  }
  return asked;
}
