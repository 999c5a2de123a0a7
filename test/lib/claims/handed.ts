// SPDX-License-Identifier: Apache-2.0
/** Claims about pages that the host codes and its front-end hands over. */
import * as abi from "../../../assembly/abi.ts";
import { readCore } from "../../../src/result/reading.ts";
import { sameLists } from "../reference/compare.ts";
import { handedPages, handingTicks, lostToWorkers } from "../reference/host-cores.ts";
import { of, type Run, runText } from "../timeline.ts";
import { same } from "./expect.ts";

const PER_MESSAGE = 15;
const PAGES = 128;

/** A silent guest of 128 pages, in one round. */
export const HANDED = `schema: dpusim.scenario/1
guest:
  generate: { memory: 512 KiB, rate: 0 /s, workingSet: 4 KiB, mix: { zero: 20, text: 50, random: 30 } }
  deviceState: 4 KiB
tracker: { kind: bitmap }
internal: { pages: vsock }
compress: { engine: lz4-sw }
link: { transport: udp }
`;

/** Bytes in which each page went over, as the card saw them. */
function sizesOf(run: Run): number[] {
  const sizes: number[] = new Array(PAGES).fill(0);
  for (const e of of(run, abi.T_PAGE)) if (e.which === abi.P_CODED) sizes[e.a] = e.b;
  return sizes;
}

/** Doorbells between messages of pages, work of cores, and losses of vCPUs, all to the tick; the messages. */
export function checkHanded(run: Run): number {
  const host = run.params.sides[0];
  const sizes = sizesOf(run);
  const messages = Array.from({ length: Math.ceil(PAGES / PER_MESSAGE) }, (_, i) =>
    sizes.slice(PER_MESSAGE * i, PER_MESSAGE * (i + 1)),
  );
  const latency = run.params.global[abi.G_CIPHER_LATENCY]!;
  const pages = messages.map((message) => handedPages(host, message, latency));
  const handing = messages.map((message) => handingTicks(host, message));
  const bells = of(run, abi.T_PUT, 0).filter((e) => e.which === abi.PORT_DOORBELL);
  // START comes before them; the first of them begins when the batch has been looked at
  const gaps = messages.slice(1).map((_, i) => bells[i + 2]!.t - bells[i + 1]!.t);
  sameLists(
    "doorbell of pages",
    gaps,
    pages.slice(1).map(({ asleep }, i) => asleep + handing[i + 1]!),
  );
  const sum = (of: readonly number[]): number => of.reduce((a, b) => a + b, 0);
  const counter = (index: number): number => run.core.counter(0, index);
  same("handed: zero filter", counter(abi.C_STAGE_ZERO), sum(pages.map(({ zero }) => zero)));
  same("handed: compress", counter(abi.C_STAGE_COMPRESS), sum(pages.map(({ compress }) => compress)));
  same("handed: encrypt", counter(abi.C_STAGE_CRYPT), sum(pages.map(({ crypt }) => crypt)));
  same("handed: ciphers", counter(abi.C_BESIDE_TICKS), sum(pages.map(({ beside }) => beside)));
  const others = otherWorks(host);
  const [message, track, scan, suspend] = others;
  // START, the tracker, the batch, END and what the card tells of, the stop
  const works = [message!, host[abi.S_HOST_INTERRUPT]!, track!, scan!, ...handing, message!];
  works.push(host[abi.S_HOST_INTERRUPT]!, suspend!);
  const vcpus = run.params.global[abi.G_VCPUS]!;
  const cores = host[abi.S_HOST_CORES]!;
  const alone = works.map((ticks) =>
    cores > vcpus ? 0 : vcpus * Math.floor(ticks / Math.min(cores, vcpus)),
  );
  const workers = pages.map(({ busy }) => lostToWorkers(run.params, busy));
  const lost = cores === 0 ? 0 : sum(alone) + sum(workers);
  same("handed: what vCPUs lose", counter(abi.C_GUEST_CPU), lost);
  return messages.length;
}

function otherWorks(host: readonly number[]): number[] {
  const track = PAGES * host[abi.S_HOST_PROTECT_PAGE]! + host[abi.S_HOST_TLB_FLUSH]!;
  const scan = (abi.BATCH_PAGES / 64) * host[abi.S_HOST_WORD]!;
  return [host[abi.S_HOST_MESSAGE]!, track, scan, host[abi.S_HOST_SUSPEND]!];
}

/** Three workers beside four vCPUs on five cores: what a mistake in the core must not pass. */
export function checkWorkers(): void {
  const sets = ["placement={ zero: host, compress: host, workers: 3 }", "guest.vcpus=4"];
  const run = runText(HANDED, { sets: [...sets, "source.host.cpu.cores=5"], variant: "lean" });
  same("handed: invariant", run.core.global("brokenInvariant"), 0);
  same("handed: not home", Number(run.core.notHome()), 0);
  const ns = (counter: number): number => run.core.counter(0, counter) / abi.TICKS_PER_NS;
  // at least an LZ4 of each page that is not zero, at the raw cost; and 64 B of each
  same("handed: work", ns(abi.C_STAGE_COMPRESS) > 60 * ((500 + 2400) / 2.3), true);
  same("handed: glance", ns(abi.C_STAGE_ZERO) > PAGES * (504 / 2.3), true);
  const { accounts } = readCore(run.core, BigInt(run.core.clockNow()));
  const busy = [0, 1, 2].map((i) => accounts[0]![abi.A_WORKER + i]?.[abi.BUSY] ?? 0n);
  const work = run.core.counter(0, abi.C_STAGE_COMPRESS) + run.core.counter(0, abi.C_STAGE_ZERO);
  same("handed: busy workers", Number(busy.reduce((sum, ticks) => sum + ticks, 0n)), Number(work));
  // with a spare core the longest of three workers costs nothing
  const worked = ns(abi.C_STAGE_COMPRESS) + ns(abi.C_STAGE_ZERO);
  const lost = ns(abi.C_GUEST_CPU);
  same("handed: lost", lost > 0.5 * worked && lost < (2 / 3) * worked, true);
}
