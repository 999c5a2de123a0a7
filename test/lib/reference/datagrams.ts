// SPDX-License-Identifier: Apache-2.0
/**
 * What a card's firmware works for datagrams, slowly: docs/model.md section 15. When its cores are free for
 * it is taken from the run, for they have other work too; what they take, for how long, what of it acts when,
 * and that none is idle meanwhile is said here.
 */
import * as abi from "../../../assembly/abi.ts";
import type { Happening } from "../timeline.ts";
import { edge } from "./cores.ts";

const QUEUE = 64;
const DECISIONS = 32;

/** A sender whose firmware decides on what goes again. */
export interface Deciding {
  /** Datagrams that were found lost since the start. */
  found: number;
  /** Of these, those that may go. */
  decided: number;
}

/** The firmware of one side; F is what it hears. */
export class DatagramWork<F extends { arriveAt: number }> {
  heard = 0;
  unheard = 0;
  readonly #p: readonly number[];
  readonly #booksAt: number;
  readonly #all: Happening[];
  readonly #mine: Happening[];
  readonly #ends: { at: number; act: (t: number) => void }[] = [];
  readonly #waiting: F[] = [];
  /** When a handler ended last: the port sees what it did a tick later. */
  #acted = -1;
  /** Decisions of each connection that have been begun. */
  readonly #begun: number[] = [];

  /** `p` are the parameters of the side, `events` what its cores ran; counted is until `booksAt`. */
  constructor(p: readonly number[], events: readonly Happening[], booksAt: number) {
    this.#p = p;
    this.#booksAt = booksAt;
    this.#all = events.filter((e) => e.kind === abi.T_STAGE && e.which === abi.U_CONTROL);
    this.#mine = this.#all.filter((e) => e.c === abi.F_HEARD || e.c === abi.F_DECIDED);
  }

  get decides(): boolean {
    return this.#p[abi.S_DATAGRAM_AGAIN]! > 0;
  }

  /** A frame without data arrives: false when the port takes it in no time. */
  takes(frame: F): boolean {
    if (this.#p[abi.S_DATAGRAM_ACK] === 0) return false;
    if (this.#waiting.length === QUEUE) this.unheard += frame.arriveAt <= this.#booksAt ? 1 : 0;
    else this.#waiting.push(frame);
    return true;
  }

  /** Handlers that end and that begin at t, behind what the port does then. */
  step(t: number, senders: readonly Deciding[], hear: (frame: F, t: number) => void): void {
    for (const one of this.#ends.filter(({ at }) => at === t)) {
      one.act(t);
      this.#acted = t;
      this.#ends.splice(this.#ends.indexOf(one), 1);
    }
    while (this.#mine.length > 0 && this.#mine[0]!.t === t) {
      const e = this.#mine.shift()!;
      const act = e.c === abi.F_HEARD ? this.#hears(e, hear) : this.#decides(e, senders);
      this.#ends.push({ at: e.b, act });
    }
    if (this.#mine.length > 0 && this.#mine[0]!.t < t)
      throw new Error(`a handler begins at ${this.#mine[0]!.t}`);
  }

  #hears(e: Happening, hear: (frame: F, t: number) => void): (t: number) => void {
    const frame = this.#waiting.shift();
    if (frame === undefined) throw new Error(`nothing to hear at ${e.t}`);
    this.#lasts(e, this.#p[abi.S_DATAGRAM_ACK]!);
    this.#noneIdle(frame.arriveAt, e.t);
    if (e.t <= this.#booksAt) this.heard++;
    return (t) => hear(frame, t);
  }

  #decides(e: Happening, senders: readonly Deciding[]): (t: number) => void {
    const s = senders[e.a]!;
    if (this.#waiting.length > 0) throw new Error(`acknowledgements wait at ${e.t}`);
    const n = Math.min(DECISIONS, s.found - (this.#begun[e.a] ?? 0));
    if (n <= 0) throw new Error(`nothing to decide at ${e.t}`);
    this.#begun[e.a] = (this.#begun[e.a] ?? 0) + n;
    this.#lasts(e, n * this.#p[abi.S_DATAGRAM_AGAIN]!);
    return () => {
      s.decided += n;
    };
  }

  #lasts(e: Happening, cycles: number): void {
    if (e.b !== edge(this.#p, abi.S_CTL_NUM, e.t, cycles))
      throw new Error(`a handler at ${e.t} ends at ${e.b}`);
  }

  /** Every core is at work from the first edge after `from` until t. */
  #noneIdle(from: number, t: number): void {
    const first = edge(this.#p, abi.S_CTL_NUM, from);
    const times = [first, ...this.#all.map((e) => e.b).filter((end) => end > first)];
    for (const time of times.filter((one) => one < t)) {
      const busy = this.#all.filter((e) => e.t <= time && time < e.b).length;
      if (busy !== this.#p[abi.S_CORES])
        throw new Error(`${busy} cores are busy at ${time}, what is heard waits`);
    }
  }

  /** What is left when all is over: acknowledgements, handlers. */
  get left(): number {
    return this.#waiting.length + this.#ends.length + this.#mine.length;
  }

  /** The next time after t at which something happens here, or may since it has. */
  nextAt(t: number): number {
    const times = [this.#mine[0]?.t ?? Infinity, ...this.#ends.map(({ at }) => at)];
    return Math.min(...times.filter((time) => time > t), this.#acted === t ? t + 1 : Infinity);
  }
}
