// SPDX-License-Identifier: Apache-2.0
// Compares a recorded run with the reference models, event by event, to the tick.
import * as abi from "../../../assembly/abi.ts";
import { type Happening, of, paramsOf, type Run } from "../timeline.ts";
import { DatagramWork } from "./datagrams.ts";
import type { Packet, Put } from "./packets.ts";
import { type LinkRun, predictPcie, type TimedPut } from "./pcie-run.ts";
import { predictTcp, type StreamEvent } from "./tcp.ts";
import { type Flying, type LossyFrame, LossyLink } from "./tcp-lossy.ts";

const COMPLETION_PORT = 9;
const DOWN_PORTS = [8, COMPLETION_PORT];
const OTHER_PORTS: readonly number[] = [abi.PORT_POSTED + abi.R_TENANT, abi.PORT_READ + abi.R_TENANT];
const NOT_THEIRS = [COMPLETION_PORT, abi.PORT_TRANSLATE];
/** Where the bitmap of dirty pages lies that a card scans, by the ports of other I/O. */
const BITMAP_AT = 0x4003_0000_0000;
const SWAP_BYTES = 8;
const CONTEXT = 3;

/** Throws where two lists differ first, with what stands around it. */
export function sameLists<T>(name: string, core: readonly T[], reference: readonly T[]): number {
  const length = Math.max(core.length, reference.length);
  for (let i = 0; i < length; i++) {
    const [mine, theirs] = [JSON.stringify(core[i]), JSON.stringify(reference[i])];
    if (mine === theirs) continue;
    const around = (list: readonly T[]): string =>
      list
        .slice(Math.max(0, i - CONTEXT), i + 2)
        .map((e) => JSON.stringify(e))
        .join("\n    ");
    const counts = `${core.length} in the core, ${reference.length} in the reference`;
    throw new Error(
      `${name} ${i} differs (${counts})\n  core\n    ${around(core)}\n  reference\n    ${around(reference)}`,
    );
  }
  return length;
}

/** What the migration's requesters put into the ports of a side, in order. */
export function putsOf(run: Run, side: number): TimedPut[] {
  return of(run, abi.T_PUT, side)
    .filter((e) => !NOT_THEIRS.includes(e.which) && (!OTHER_PORTS.includes(e.which) || ofBitmap(e)))
    .map((e) => ({ ...asPut(e), ...(ofBitmap(e) ? scannerPut(e) : {}), putAt: e.c }));
}

const ofBitmap = (e: Happening): boolean => e.b >= BITMAP_AT;

/** Reads of the bitmap are of whole batches of 256 bytes: one of 8 is a Swap. */
const scannerPut = (e: Happening): Partial<Put> =>
  e.which < abi.PORT_READ
    ? {}
    : { requester: abi.R_SCAN, ...(e.a === SWAP_BYTES ? { operandBytes: e.a } : {}) };

const asPut = (e: Happening): Put => ({ port: e.which, bytes: e.a, address: e.b, readyAt: e.t });

/** What was put into some ports of a side. */
const putInto = (run: Run, side: number, ports: readonly number[]): Put[] =>
  of(run, abi.T_PUT, side)
    .filter((e) => ports.includes(e.which) && (e.which === COMPLETION_PORT || !ofBitmap(e)))
    .map(asPut);

/** The packets of a wire of a side (0 up, 1 down), as recorded. */
export function packetsOf(run: Pick<Run, "events">, side: number, wire: number): Packet[] {
  const packets: Packet[] = [];
  for (const { kind, side: at, which, t: startAt, a: what, b, c } of run.events) {
    if (at !== side) continue;
    const ofPort = kind === abi.T_TLP || kind === abi.T_SPOILT;
    const onWire = ofPort ? Number(DOWN_PORTS.includes(which)) : which;
    if (onWire !== wire) continue;
    if (ofPort) packets.push({ kind, startAt, port: which, what, amount: b, units: 0 });
    if (kind === abi.T_DLLP) packets.push({ kind, startAt, port: 0, what, amount: b, units: c });
    if (kind === abi.T_SKP) packets.push({ kind, startAt, port: 0, what, amount: 0, units: 0 });
  }
  return packets;
}

/** Compares a side's PCIe link with the reference; returns the reference's run and how much was compared. */
export function checkPcie(run: Run, side: number): { predicted: LinkRun; compared: number } {
  // the books close before the drain ends
  const booksAt = Number(run.core.logged(abi.L_BOOKS));
  const { sides, jitter } = run.params;
  const predicted = predictPcie(sides[side]!, side, putsOf(run, side), jitter[side]!, booksAt);
  let compared = 0;
  for (const wire of [0, 1]) {
    const name = `packet on wire ${wire ? "down" : "up"} of side ${side}`;
    compared += sameLists(name, packetsOf(run, side, wire), predicted.wires[wire]!);
  }
  const completions = putInto(run, side, [COMPLETION_PORT]);
  compared += sameLists(`completion of side ${side}`, completions, predicted.completions);
  // the timeline does not tell what an AtomicOp carries: packets do
  const others = predicted.otherPuts.map(({ operandBytes: _, ...put }) => put);
  compared += sameLists(`other I/O of side ${side}`, putInto(run, side, OTHER_PORTS), others);
  const answers = of(run, abi.T_ANSWER, side).map((e) => ({ requester: e.which, at: e.t, bytes: e.b }));
  compared += sameLists(`answer of side ${side}`, answers, predicted.answers);
  compared += checkPcieCounters(run, side, predicted, booksAt);
  return { predicted, compared };
}

/** What starts after the books have closed is not counted. */
function checkPcieCounters(run: Run, side: number, predicted: LinkRun, booksAt: number): number {
  const sum = (wire: number, ...kinds: number[]): number =>
    predicted.wires[wire]!.filter((e) => kinds.includes(e.kind) && e.startAt <= booksAt).length;
  const ended = predicted.ended.filter((e) => e.seenAt <= booksAt).length;
  const rows: [counter: number, expected: number][] = [
    [abi.C_UP_TLPS, sum(0, abi.T_TLP, abi.T_SPOILT)],
    [abi.C_DOWN_TLPS, sum(1, abi.T_TLP, abi.T_SPOILT)],
    [abi.C_UP_REPLAYS, sum(0, abi.T_SPOILT)],
    [abi.C_DOWN_REPLAYS, sum(1, abi.T_SPOILT)],
    [abi.C_UP_DLLP_BYTES, 8 * sum(0, abi.T_DLLP)],
    [abi.C_DOWN_DLLP_BYTES, 8 * sum(1, abi.T_DLLP)],
    [abi.C_IOTLB_HITS, predicted.lookups.hits],
    [abi.C_IOTLB_MISSES, predicted.lookups.misses],
    [abi.C_TENANT_OPS, ended],
    [abi.C_TENANT_BYTES, ended * run.params.sides[side]![abi.S_TEN_BYTES]!],
  ];
  const counted = rows.map(([counter]) => [counter, run.core.counter(side, counter)]);
  return sameLists(`counter of side ${side}`, counted, rows);
}

function streamEvents(run: Run, kind: number): StreamEvent[] {
  return of(run, kind).map((e) => ({ side: e.side, link: e.which, at: e.t, bytes: e.a }));
}

/** Compares every frame of both sides with the reference; returns how many there were. */
export function checkTcp(run: Run): number {
  const frames = predictTcp(
    run.params.global,
    streamEvents(run, abi.T_APPEND),
    streamEvents(run, abi.T_TAKEN),
  );
  let compared = 0;
  const asList = (e: Happening): number[] => [e.which, e.t, e.a, e.b, e.c];
  for (const side of [0, 1]) {
    const mine = frames.filter((f) => f.side === side);
    const sent = mine.map((f) => [f.link, f.startAt, f.payloadBytes, f.acknowledged, f.rightEdge]);
    const arrived = mine.map((f) => [f.link, f.arriveAt, f.payloadBytes, f.acknowledged, f.rightEdge]);
    compared += sameLists(`frame of side ${side}`, of(run, abi.T_FRAME, side).map(asList), sent);
    sameLists(`arrival at side ${1 - side}`, of(run, abi.T_ARRIVE, 1 - side).map(asList), arrived);
  }
  return compared;
}

/** The sum of what is told until a time, of a side and link. */
class Sums {
  readonly #events = new Map<string, StreamEvent[]>();
  readonly #sums = new Map<string, number>();

  constructor(events: readonly StreamEvent[]) {
    for (const e of events) {
      const name = `${e.side} ${e.link}`;
      if (!this.#events.has(name)) this.#events.set(name, []);
      this.#events.get(name)!.push(e);
    }
  }

  /** Times do not go back. */
  at(side: number, link: number, t: number): number {
    const name = `${side} ${link}`;
    const events = this.#events.get(name) ?? [];
    let sum = this.#sums.get(name) ?? 0;
    while (events.length > 0 && events[0]!.at <= t) sum += events.shift()!.bytes;
    this.#sums.set(name, sum);
    return sum;
  }
}

/** What firmware works for datagrams in a run; nothing where the ports do it in no time. */
function datagramWork(run: Run): DatagramWork<Flying>[] {
  const { global, sides } = run.params;
  const works = sides.some((p) => p[abi.S_DATAGRAM_ACK]! + p[abi.S_DATAGRAM_AGAIN]! > 0);
  if (!works || global[abi.G_NET_CONGESTION] !== abi.CONGESTION_FIRMWARE) return [];
  const booksAt = Number(run.core.logged(abi.L_BOOKS));
  return sides.map((p, side) => new DatagramWork<Flying>(p, of(run, abi.T_STAGE, side), booksAt));
}

/** All that the cores have done was due, and is counted. */
function checkWork(run: Run, work: readonly DatagramWork<Flying>[]): void {
  for (const [side, { heard, unheard, left }] of work.entries()) {
    if (left !== 0) throw new Error(`${left} handlers or acknowledgements of side ${side} are left`);
    const counted = [abi.C_ACKS_HEARD, abi.C_ACKS_UNHEARD].map((i) => run.core.counter(side, i));
    sameLists(`acknowledgements of side ${side}`, counted, [heard, unheard]);
  }
}

/**
 * Compares every frame of both sides with the reference of a path that may lose; returns how many there were.
 * Of one connection a data link: with several, what has been taken out is no matter of one.
 */
export function checkLossy(run: Run): number {
  const g = [...run.params.global];
  g[abi.G_NET_SEGMENTS] = paramsOf(run.core).global[abi.G_NET_SEGMENTS]!;
  const told = [streamEvents(run, abi.T_APPEND), streamEvents(run, abi.T_TAKEN)] as const;
  const times = told
    .flat()
    .map((e) => e.at)
    .sort((a, b) => a - b);
  const [appends, takes] = [new Sums(told[0]), new Sums(told[1])];
  const work = datagramWork(run);
  const feed = {
    visible: (side: number, link: number, t: number) => appends.at(side, link, t),
    taken: (side: number, link: number, t: number) => takes.at(side, link, t),
    nextAt: (t: number) => {
      while (times.length > 0 && times[0]! <= t) times.shift();
      return times[0] ?? Infinity;
    },
  };
  const frames = new LossyLink(g, feed, work).run(Number(run.core.clockNow()));
  checkWork(run, work);
  let compared = 0;
  for (const side of [0, 1]) {
    const mine = frames.filter((f) => f.side === side);
    const list = (f: LossyFrame, at: number | null) => [f.index, at, f.bytes, f.acknowledged, f.rightEdge];
    const asList = (e: Happening): number[] => [e.which, e.t, e.a, e.b, e.c];
    const sent = mine.map((f) => list(f, f.startAt));
    compared += sameLists(`frame of side ${side}`, of(run, abi.T_FRAME, side).map(asList), sent);
    const arrived = mine.filter((f) => f.arriveAt !== null).map((f) => list(f, f.arriveAt));
    sameLists(`arrival at side ${1 - side}`, of(run, abi.T_ARRIVE, 1 - side).map(asList), arrived);
  }
  return compared;
}
