// SPDX-License-Identifier: Apache-2.0
/** The receiving end of a connection, slowly: RFC 9293, 2018, and docs/model.md section 6. */
import * as abi from "../../../assembly/abi.ts";

export interface Span {
  from: number;
  to: number;
}

const SYN_WINDOW = 65_535;

export class Receiver {
  received = 0;
  advertised: number;
  ackAt = Infinity;
  /** Bytes that have arrived, in whatever order. */
  got = 0;
  /** Bytes in order that nobody has taken out; null of a sink, which takes all. */
  untaken: number | null = null;
  readonly #g: readonly number[];
  readonly #mss: number;
  #acked = 0;
  #due = false;
  #unread = 0;
  #quick: number;
  #held: Span[] = [];
  #grew: number[] = [];
  #window: number;
  #clamp: number;
  #most: number;
  #copied = { from: 0, at: 0 };

  constructor(g: readonly number[], side: number) {
    this.#g = g;
    this.#mss = g[abi.G_NET_MTU]! - g[abi.G_NET_HEADERS]!;
    const limit = g[abi.G_NET_WINDOW]!;
    const first = Math.min(limit, SYN_WINDOW);
    this.#window = g[abi.G_NET_TUNED]! === 1 ? first : limit;
    this.#clamp = Math.min(Math.floor((131_072 * (this.#mss <= 2048 ? 170 : 181)) / 256), limit);
    this.#most = Math.min(first, 10 * this.#mss);
    const scaled = side === 0 || g[abi.G_NET_CONGESTION] === abi.CONGESTION_FIRMWARE;
    this.advertised = scaled ? this.#granted : first;
    this.#quick = Math.min(16, Math.max(2, Math.floor(this.advertised / (2 * this.#mss))));
  }

  get urgent(): boolean {
    return this.#due && this.#held.length > 0;
  }

  get #granted(): number {
    const g = this.#g;
    if (g[abi.G_NET_TUNED]! === 0) return this.#window;
    const step = Math.floor(this.#window / 4096) * 4096;
    return Math.max(step, Math.min(g[abi.G_NET_WINDOW]!, SYN_WINDOW));
  }

  /** A segment arrives at t; `closes` tells whether the sink has all then. */
  take(from: number, to: number, t: number, closes: () => boolean): void {
    let now = true;
    if (to > this.received) {
      const held = this.#held.length > 0;
      const before = this.received;
      const known = this.#held.some((h) => h.from <= from && to <= h.to);
      if (!known) this.got += to - Math.max(from, before);
      if (from <= before) this.received = to;
      else this.#grew = this.#newest(from, to);
      this.#held.push({ from, to });
      this.#merge();
      const gained = this.received - before;
      if (gained > 0) this.#tune(gained, t);
      const single = !held && this.#held.length === 0 && this.#quick === 0;
      now = !(single && this.received - this.#acked <= this.#mss) || closes();
    }
    this.#due = true;
    // a fixed window is free buffer: what an immediate ACK tells of is still in it
    this.#unread = now && this.#fixed ? this.received - this.#acked : 0;
    this.ackAt = Math.min(this.ackAt, now ? t : t + this.#g[abi.G_NET_DELACK]!);
  }

  #merge(): void {
    this.#held.sort((a, b) => a.from - b.from);
    const merged: Span[] = [];
    for (const span of this.#held) {
      const last = merged.at(-1);
      if (last !== undefined && span.from <= last.to) last.to = Math.max(last.to, span.to);
      else merged.push({ ...span });
    }
    while (merged.length > 0 && merged[0]!.from <= this.received) {
      this.received = Math.max(this.received, merged.shift()!.to);
    }
    this.#held = merged;
  }

  /** Ends of the blocks that grew last, the newest first, when from..to has joined. */
  #newest(from: number, to: number): number[] {
    const spans = [...this.#held, { from, to }].sort((a, b) => a.from - b.from);
    let mine = { from, to };
    for (let again = true; again; ) {
      again = false;
      for (const s of spans) {
        if (s.from > mine.to || s.to < mine.from) continue;
        if (s.from >= mine.from && s.to <= mine.to) continue;
        mine = { from: Math.min(s.from, mine.from), to: Math.max(s.to, mine.to) };
        again = true;
      }
    }
    const [newest = 0, ...rest] = this.#grew;
    const same = newest >= mine.from && newest <= mine.to;
    return (same ? [to, ...rest] : [to, newest, ...rest]).slice(0, 3);
  }

  #tune(gained: number, t: number): void {
    const g = this.#g;
    if (g[abi.G_NET_TUNED]! === 0) return;
    if (this.#copied.at === 0) this.#copied.at = t;
    if (this.#window < this.#clamp && gained >= 128) {
      this.#window = Math.min(this.#window + 2 * this.#mss, this.#clamp);
    }
    const frame = (n: number): number => {
      const packet = g[abi.G_NET_FRAMING]! + g[abi.G_NET_HEADERS]! + n;
      return g[abi.G_NET_OUTSIDE]! + Math.max(packet, g[abi.G_NET_FRAME_MIN]!);
    };
    const wire = 2 * frame(this.#mss) + frame(0);
    const num = g[abi.G_NET_QUEUE_NUM]!;
    const trip =
      2 * g[abi.G_NET_PROPAGATION]! + (num === 0 ? 0 : Math.ceil((wire * num) / g[abi.G_NET_QUEUE_DEN]!));
    if (t - this.#copied.at < trip) return;
    const copied = this.received - this.#copied.from;
    if (copied > this.#most) {
      const grown = 2 * Math.floor((2 * copied * (copied - this.#most)) / this.#most);
      this.#clamp = Math.max(this.#clamp, Math.min(2 * copied + grown, g[abi.G_NET_WINDOW]!));
      this.#most = copied;
    }
    this.#copied = { from: this.received, at: t };
  }

  /** A fixed window of TCP; the firmware of UDP takes what has arrived before it tells of it. */
  get #fixed(): boolean {
    return this.#g[abi.G_NET_TUNED] === 0 && this.#g[abi.G_NET_CONGESTION] !== abi.CONGESTION_FIRMWARE;
  }

  get #edge(): number {
    const open = Math.max(0, this.#granted - (this.untaken ?? this.#unread));
    return Math.max(this.advertised, this.received + open);
  }

  updateDue(): boolean {
    if (this.#acked === 0) return false;
    const move = this.#edge - this.advertised;
    return move >= 2 * this.#mss && this.advertised - this.received < Math.floor(this.#granted / 2);
  }

  /** What a frame says of this end; a pure ACK tells of blocks beyond holes. */
  tell(alone: boolean): { blocks: Span[]; acknowledged: number; rightEdge: number } {
    this.advertised = this.#edge;
    this.#unread = 0;
    this.#acked = this.received;
    this.#due = false;
    this.ackAt = Infinity;
    this.#quick = Math.max(0, this.#quick - 1);
    const blocks: Span[] = [];
    if (alone) {
      for (const end of this.#grew.filter((position) => position > this.received)) {
        const block = this.#held.find((h) => h.to >= end);
        if (block !== undefined && !blocks.some(({ from }) => from === block.from)) blocks.push({ ...block });
      }
    }
    return { blocks, acknowledged: this.received, rightEdge: this.advertised };
  }
}
