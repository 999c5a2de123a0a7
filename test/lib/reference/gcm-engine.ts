// SPDX-License-Identifier: Apache-2.0
/**
 * AES-GCM engines clock by clock, written from docs/model.md section 5: every engine walks through its
 * phases, a queue of 32 behind them, and a unit behind that which looks now and then. Work never ends.
 */

/** What an engine is. */
export interface GcmMachine {
  readonly engines: number;
  readonly bits: number;
  readonly rounds: number;
  /** 0: a pipeline of all rounds. */
  readonly cyclesPerRound: number;
  readonly stagesPerRound: number;
  readonly ghashLatency: number;
  readonly tagCycles: number;
  readonly recordGap: number;
  readonly interleave: "word" | "record";
  readonly egress: "hold" | "admit";
  readonly keySlots: number;
  readonly keyLoad: number;
  /** Clock rates in Hz where the engines have a clock of their own; without, theirs is the card's. */
  readonly clocks?: { readonly engine: bigint; readonly card: bigint };
}

interface Engine {
  /** Clocks that are still to pass before it has done with its record; -1 without one. */
  left: number;
  /** Clock at which it was done; the result waits in it. */
  doneAt: number;
}

const QUEUE = 32;

/** Clocks of every phase, told one by one. */
function phases(m: GcmMachine, payloadBytes: number, loads: boolean): { taken: number; after: number } {
  let taken = loads ? m.keyLoad : 0;
  const block = m.cyclesPerRound === 0 ? 1 : m.cyclesPerRound + m.rounds * m.cyclesPerRound;
  for (let bit = 0; bit < 128; bit += m.bits) taken += block;
  for (let bit = 0; bit < 8 * payloadBytes; bit += m.bits) taken += block;
  taken += block; // lengths
  let drain = 2 + m.tagCycles;
  for (let round = 0; m.cyclesPerRound === 0 && round < m.rounds; round++) drain += m.stagesPerRound;
  if (m.cyclesPerRound > 0) drain += block;
  for (let lanes = m.bits / 128; lanes >= 1; lanes /= 2) drain += m.ghashLatency;
  const rest = m.recordGap + (m.interleave === "record" ? drain : 0);
  return { taken: taken + rest, after: Math.max(0, drain - rest) };
}

const TICKS_PER_SECOND = 1_024_000_000_000_000n;

/** Card clocks until n engine clocks that begin at a clock of the card have passed, counted edge by edge. */
function cardClocks({ clocks }: GcmMachine, clock: number, n: number): number {
  if (clocks === undefined) return n;
  const tickOf = (k: bigint, rate: bigint): bigint => (k * TICKS_PER_SECOND + rate - 1n) / rate;
  const end = tickOf(BigInt(clock), clocks.card) + tickOf(BigInt(n), clocks.engine);
  let k = clock;
  while (tickOf(BigInt(k), clocks.card) < end) k++;
  return k - clock;
}

/** The first engines stop at a clock; what they held is begun again by the others, before anything else. */
export interface StoppedEngines {
  readonly atClock: number;
  readonly engines: number;
}

/** The clocks at which `records` are taken away, and how many had been begun by then. */
export function sealSlowly(
  m: GcmMachine,
  { records, payloadBytes, lookEvery }: { records: number; payloadBytes: number; lookEvery: number },
  stopped: StoppedEngines | null = null,
): { seenAtClocks: number[]; begunRecords: number } {
  const engines: Engine[] = Array.from({ length: m.engines }, () => ({ left: -1, doneAt: -1 }));
  const queue: number[] = [];
  const seenAtClocks: number[] = [];
  let begunRecords = 0;
  for (let clock = 0; ; clock++) {
    // the unit behind: everything at once, or one a look
    let looks = clock % lookEvery !== 0 ? 0 : lookEvery === 1 ? QUEUE : 1;
    while (looks-- > 0 && queue.length > 0 && queue[0]! <= clock) {
      queue.shift();
      seenAtClocks.push(clock);
      if (seenAtClocks.length === records) return { seenAtClocks, begunRecords };
    }
    for (const engine of engines) {
      if (engine.left > 0 && --engine.left === 0) engine.doneAt = clock;
    }
    if (clock === stopped?.atClock) {
      const gone = engines.splice(0, stopped.engines);
      begunRecords -= gone.filter(({ left }) => left >= 0).length;
    }
    // done first, gone first
    const done = engines.filter(({ left }) => left === 0).sort((a, b) => a.doneAt - b.doneAt);
    for (const engine of done) {
      const reserved = m.egress === "admit";
      if (!reserved && queue.length >= QUEUE) continue;
      const { after } = phases(m, payloadBytes, false);
      queue.push(Math.max(engine.doneAt + cardClocks(m, engine.doneAt, after), clock + 1));
      engine.left = -1;
    }
    for (const engine of engines) {
      if (engine.left >= 0) continue;
      const under = engines.filter(({ left }) => left >= 0).length;
      if (m.egress === "admit" && queue.length + under >= QUEUE) continue;
      const loads = begunRecords === 0 || m.keySlots === 1;
      engine.left = cardClocks(m, clock, phases(m, payloadBytes, loads).taken);
      begunRecords++;
    }
  }
}
