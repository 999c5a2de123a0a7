// SPDX-License-Identifier: Apache-2.0
/** Claims about stages of pages on hosts: works of the destination's, and buffers that its card fills. */
import * as abi from "../../../assembly/abi.ts";
import { sameLists } from "../reference/compare.ts";
import { type Landed, type Placing, placingOf } from "../reference/placing.ts";
import { of, type Run, runText } from "../timeline.ts";
import { ended, same } from "./expect.ts";

const ZERO = 2;
const SPOILT = 8;

/** A guest that writes, in rounds; device state in two pieces. */
export const HOSTS = `schema: dpusim.scenario/1
guest:
  generate: { memory: 400 KiB, rate: 300000 /s, workingSet: 100 KiB, mix: { zero: 20, text: 50, random: 30 } }
  deviceState: 8 KiB
compress: { engine: lz4-sw }
link: { transport: udp }
migration: { onTimeout: force, maxRounds: 4, downtimeLimit: 1 us }
`;

/** A stop that is forced within a round announces pages again while the first of them lie in buffers. */
export const CUT_SHORT = `schema: dpusim.scenario/1
guest:
  generate: { memory: 24 MiB, rate: 2000000 /s, workingSet: 24 MiB, mix: { zero: 95, text: 5, random: 0 } }
  deviceState: 8 KiB
source: { host: { preset: snb-e5-2630, vsock: { messageCost: 1 ms } }, card: dpu-ref }
destination: { host: { preset: snb-e5-2630, stages: { unlz4PerKiB: 90000 cycles } }, card: dpu-ref }
compress: { engine: lz4-sw }
link: { transport: udp }
content: sized
migration: { onTimeout: force, timeout: 3.1 ms, maxRounds: 4, downtimeLimit: 1 us }
`;

const ofHost = (run: Run, what: number) =>
  of(run, abi.T_STAGE, 1).filter((e) => e.which === abi.U_FRONTEND && (e.c & 0xff) === what);

/** Records as they landed in buffers. */
export function landedOf(run: Run): Landed[] {
  return ofHost(run, abi.WK_LANDED).map((e) => ({
    t: e.t,
    pfn: e.a,
    bytes: e.b & 0xffff,
    zero: ((e.b >> 16) & 0xff) === ZERO,
    coded: ((e.b >> 24) & 1) === 1,
    spoilt: ((e.b >> 24) & SPOILT) !== 0,
  }));
}

/**
 * Records of a page one after another: the card begins none before the one that a buffer held is placed.
 * Returns how many pages came again.
 */
export function checkInTurn(run: Run): number {
  const out = new Map<number, number>();
  const seen = new Set<number>();
  let again = 0;
  for (const e of run.events) {
    if (e.side !== 1) continue;
    if (e.kind === abi.T_PAGE && e.which === abi.P_PLACED) {
      if (seen.has(e.a)) again++;
      seen.add(e.a);
      same(`hosts: records of page ${e.a} at ${e.t} that are not placed`, out.get(e.a) ?? 0, 0);
      // a zero page of fresh memory that the card places is there at once
      const waits = e.c > 0 || run.scenario.placement.stages.decrypt.at.startsWith("host");
      if (waits) out.set(e.a, 1);
    } else if (e.kind === abi.T_STAGE && e.which === abi.U_MEMORY) out.set(e.a, 0);
  }
  return again;
}

/** Every work of every worker and engine, and every page that is placed, to the tick; how many pages. */
export function checkPlacing(run: Run): number {
  const predicted = placingOf(run.params, landedOf(run));
  const pieces = [
    ...ofHost(run, abi.WK_WORK).map((e) => ({ who: `worker ${e.c >> 8}`, pfn: e.a, from: e.t, to: e.b })),
    ...ofHost(run, abi.WK_ENGINE).map((e) => {
      return { who: e.c >> 8 === 0 ? "cipher" : "decoder", pfn: e.a, from: e.t, to: e.b };
    }),
  ];
  const order = (a: { from: number; pfn: number }, b: typeof a): number => a.from - b.from || a.pfn - b.pfn;
  sameLists("works of the destination's host", pieces.sort(order), [...predicted.pieces].sort(order));
  const landings = of(run, abi.T_STAGE, 1).filter((e) => e.which === abi.U_MEMORY);
  const theirs = new Set(predicted.placed.map(({ pfn, t }) => `${pfn} ${t}`));
  const byHost = landings.filter((e) => theirs.has(`${e.a} ${e.t}`));
  sameLists(
    "pages placed by the host",
    byHost.map((e) => ({ pfn: e.a, t: e.t })),
    predicted.placed,
  );
  checkCounts(run, predicted);
  checkBuffers(run, predicted);
  return predicted.placed.length;
}

function checkCounts({ core, params }: Run, { placed, refused, crypt, decompress, beside }: Placing): void {
  const counter = (index: number): number => core.counter(1, index);
  const opens = (params.sides[1][abi.S_HOST_STAGES]! & 4) !== 0;
  same("hosts: placed", counter(abi.C_HOST_PLACED), placed.length);
  same("hosts: opened", counter(abi.C_HOST_OPENED), opens ? placed.length + refused : 0);
  if (opens) same("hosts: work of opening", counter(abi.C_STAGE_CRYPT), crypt);
  same("hosts: work of decoding", counter(abi.C_STAGE_DECOMPRESS), decompress);
  same("hosts: engines beside", counter(abi.C_BESIDE_TICKS), beside);
}

/** No more records lie in buffers than there are. */
function checkBuffers(run: Run, { placed }: Placing): void {
  const buffers = run.params.global[abi.G_HOST_RING]!;
  const landed = landedOf(run);
  const most = landed.map(({ t }, i) => i + 1 - placed.filter((one) => one.t < t).length);
  if (most.some((n) => n > buffers)) throw new Error(`hosts: ${Math.max(...most)} buffers of ${buffers}`);
  const high = run.core.counter(1, abi.C_RING_HIGH);
  if (high > buffers || high < Math.max(...most)) throw new Error(`hosts: ${high} buffers in use at most`);
}

/** All on hosts: what a mistake in the core must not pass. */
export function checkHosts(): void {
  const all = "{ zero: host, compress: host, encrypt: host, decrypt: host, decompress: host, buffers: 2 }";
  const run = runText(HOSTS, { sets: [`placement=${all}`, "internal.pages=vsock"], variant: "lean" });
  ended("hosts", run);
  const { core } = run;
  same("hosts: sealed and opened", core.counter(1, abi.C_HOST_OPENED), core.counter(0, abi.C_HOST_SEALED));
  const late = runText(HOSTS, { sets: ["placement={ decompress: host, buffers: 1 }"], variant: "lean" });
  ended("hosts: one buffer", late);
  for (const timeout of ["3.1 ms", "3.7 ms"]) {
    const sets = ["placement={ decompress: host, buffers: 256 }", `migration.timeout=${timeout}`];
    ended(`hosts: forced after ${timeout}`, runText(CUT_SHORT, { sets, variant: "lean" }));
  }
  checkWork();
  checkDropped();
  checkRefusal();
}

/** Cancelled while pages are sealed: their numbers are written off. */
function checkDropped(): void {
  const stages = "placement={ zero: host, compress: host, encrypt: host }";
  for (const at of ["301 us", "402 us", "503 us"]) {
    const sets = [stages, "internal.pages=vsock", `faults=[{ at: ${at}, what: cancel }]`];
    const run = runText(HOSTS, { sets, variant: "lean" });
    ended(`hosts: cancelled at ${at}`, run);
    same("hosts: cancelled", run.core.logged(abi.L_STATUS), abi.STATUS_CANCELLED);
  }
}

/** 100 pages of random bytes, in one round: what opening them takes workers, and ciphers beside them. */
function checkWork(): void {
  const guest = "{ generate: { memory: 400 KiB, rate: 0 /s, workingSet: 4 KiB, mix: { random: 100 } } }";
  const host = ["cpu.clock=1 GHz", "stages.gcmPerKiB=790 cycles"].map((key) => `destination.host.${key}`);
  const plain = [`guest=${guest}`, "compress=off", ...host];
  const worked = (stage: string, engine: string, counter: number): number => {
    const sets = [...plain, `placement={ decrypt: ${stage} }`, `encrypt.destination=${engine}`];
    const run = runText(HOSTS, { sets, variant: "lean" });
    ended(`hosts: ${stage}`, run);
    same(`hosts: opened at ${stage}`, run.core.counter(1, abi.C_HOST_OPENED), 100);
    return run.core.counter(1, counter) / abi.TICKS_PER_NS;
  };
  // 500 cycles and so many a KiB of header and page; a clock of 2.56 ns a word of 16 bytes, and a word more
  const opening = 100 * (500 + Math.ceil((4112 * 790) / 1024));
  same("hosts: works of opening", worked("host", "card", abi.C_STAGE_CRYPT), opening);
  same("hosts: submissions", worked("host-engine", "qat-8950", abi.C_STAGE_CRYPT), 100 * 500);
  same("hosts: ciphers", worked("host-engine", "qat-8950", abi.C_BESIDE_TICKS), 100 * 258 * 2.56);
}

/** A record that is spoilt on the link is found by the host, and the migration is broken off. */
function checkRefusal(): void {
  const faults = "faults=[{ at: 300 us, what: corrupt }]";
  const stages = "placement={ decrypt: host, decompress: host }";
  const { core } = runText(HOSTS, { sets: [stages, faults], variant: "lean" });
  same("hosts: status", core.logged(abi.L_STATUS), abi.STATUS_FAILED);
  same("hosts: reason", core.logged(abi.L_REASON), abi.REASON_TAG);
}
