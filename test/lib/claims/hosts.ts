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
  const sets = [`placement=${all}`, "internal.pages=vsock"];
  const run = runText(HOSTS, { sets, variant: "instrumented" });
  ended("hosts", run);
  checkPlacing(run);
  const { core } = run;
  same("hosts: sealed and opened", core.counter(1, abi.C_HOST_OPENED), core.counter(0, abi.C_HOST_SEALED));
  // a core of 2.3 GHz: 500 cycles and 790 a KiB of 16 bytes at least
  const ns = core.counter(0, abi.C_STAGE_CRYPT) / abi.TICKS_PER_NS;
  const least = (core.counter(0, abi.C_HOST_SEALED) * (500 + 13)) / 2.3;
  if (ns < 1.3 * least) throw new Error(`hosts: ${ns} ns of sealing, ${least} for headers alone`);
  const late = runText(HOSTS, {
    sets: [`placement={ decompress: host, buffers: 1 }`],
    variant: "instrumented",
  });
  ended("hosts: one buffer", late);
  checkPlacing(late);
  checkGivenBack();
  checkRefusal();
}

/** Records that a cipher beside the CPU gives back to a slow worker, while others land. */
function checkGivenBack(): void {
  const place = "placement={ decrypt: host-engine, decompress: host }";
  const sets = [place, "encrypt.destination=qat-8950", "destination.host.cpu.clock=1 GHz"];
  const run = runText(HOSTS, { sets, variant: "instrumented" });
  ended("hosts: given back", run);
  checkPlacing(run);
}

/** A record that is spoilt on the link is found by the host, and the migration is broken off. */
function checkRefusal(): void {
  const faults = "faults=[{ at: 300 us, what: corrupt }]";
  const stages = "placement={ decrypt: host, decompress: host }";
  const { core } = runText(HOSTS, { sets: [stages, faults], variant: "lean" });
  same("hosts: status", core.logged(abi.L_STATUS), abi.STATUS_FAILED);
  same("hosts: reason", core.logged(abi.L_REASON), abi.REASON_TAG);
}
