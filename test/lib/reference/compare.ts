// SPDX-License-Identifier: Apache-2.0
// Compares a recorded run with the reference models, event by event, to the tick.
import * as abi from "../../../assembly/abi.ts";
import { type Happening, of, type Run } from "../timeline.ts";
import type { Packet, PcieRun, Put } from "./packets.ts";
import { predictPcie } from "./pcie.ts";
import { predictTcp, type StreamEvent } from "./tcp.ts";

const COMPLETION_PORT = 9;
const DOWN_PORTS = [8, COMPLETION_PORT];
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

/** What requesters put into the ports of a side, in order; completions and translations are not theirs. */
export function putsOf(run: Run, side: number): Put[] {
  return of(run, abi.T_PUT, side)
    .filter((e) => e.which !== COMPLETION_PORT && e.which !== abi.PORT_TRANSLATE)
    .map(asPut);
}

const asPut = (e: Happening): Put => ({ port: e.which, bytes: e.a, address: e.b, readyAt: e.t });

/** The packets of a wire of a side (0 up, 1 down), as recorded. */
export function packetsOf(run: Pick<Run, "events">, side: number, wire: number): Packet[] {
  const packets: Packet[] = [];
  for (const e of run.events) {
    if (e.side !== side) continue;
    const common = { kind: e.kind, startAt: e.t, what: e.a };
    const onWire = e.kind === abi.T_TLP ? Number(DOWN_PORTS.includes(e.which)) : e.which;
    if (onWire !== wire) continue;
    if (e.kind === abi.T_TLP) packets.push({ ...common, port: e.which, amount: e.b, units: 0 });
    if (e.kind === abi.T_DLLP) packets.push({ ...common, port: 0, amount: e.b, units: e.c });
    if (e.kind === abi.T_SKP) packets.push({ ...common, port: 0, amount: 0, units: 0 });
  }
  return packets.map(({ kind, startAt, port, what, amount, units }) => ({
    kind,
    startAt,
    port,
    what,
    amount,
    units,
  }));
}

/** Compares a side's PCIe link with the reference; returns the reference's run and how much was compared. */
export function checkPcie(run: Run, side: number): { predicted: PcieRun; compared: number } {
  const predicted = predictPcie(run.params.sides[side]!, putsOf(run, side), run.params.jitter[side]);
  let compared = 0;
  for (const wire of [0, 1]) {
    const name = `packet on wire ${wire ? "down" : "up"} of side ${side}`;
    compared += sameLists(name, packetsOf(run, side, wire), predicted.wires[wire]!);
  }
  const completions = of(run, abi.T_PUT, side)
    .filter((e) => e.which === COMPLETION_PORT)
    .map(asPut);
  compared += sameLists(`completion of side ${side}`, completions, predicted.completions);
  const answers = of(run, abi.T_ANSWER, side).map((e) => ({ requester: e.which, at: e.t, bytes: e.b }));
  compared += sameLists(`answer of side ${side}`, answers, predicted.answers);
  compared += checkPcieCounters(run, side, predicted);
  return { predicted, compared };
}

function checkPcieCounters(run: Run, side: number, predicted: PcieRun): number {
  // the books close before the drain ends: what starts after that is not counted
  const booksAt = Number(run.core.logged(abi.L_BOOKS));
  const sum = (wire: number, kind: number): number =>
    predicted.wires[wire]!.filter((e) => e.kind === kind && e.startAt <= booksAt).length;
  const counted = [
    run.core.counter(side, abi.C_UP_TLPS),
    run.core.counter(side, abi.C_DOWN_TLPS),
    run.core.counter(side, abi.C_UP_DLLP_BYTES) / 8,
    run.core.counter(side, abi.C_DOWN_DLLP_BYTES) / 8,
  ];
  return sameLists(`counter of side ${side}`, counted, [
    sum(0, abi.T_TLP),
    sum(1, abi.T_TLP),
    sum(0, abi.T_DLLP),
    sum(1, abi.T_DLLP),
  ]);
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
