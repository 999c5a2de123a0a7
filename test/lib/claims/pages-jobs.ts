// SPDX-License-Identifier: Apache-2.0
/** Jobs of several pages against the slow encoders: which pages each has, when it begins and ends. */
import * as abi from "../../../assembly/abi.ts";
import { Dram } from "../reference/delta.ts";
import { jobsSlowly } from "../reference/job-pool.ts";
import { guestText, of, type Run, runText } from "../timeline.ts";
import { accountTicks } from "./chain.ts";
import { ended, same } from "./expect.ts";

const JOB_PAGE = 1;
const FAST = ["source.host=gen5-host", "encrypt=off", "link.rate=400 Gbit/s"];
const OWN = ["source.card.compressor.setupCycles=300 cycles", "source.card.compressor.engines=2"];

/** Encoders of the card and of presets: jobs that are full, that run out of time, that do not wait. */
export const JOB_ROWS: readonly (readonly string[])[] = [
  [...FAST, ...OWN, "compress.jobPages=4"],
  [...FAST, ...OWN, "compress.jobPages=5", "compress.jobWait=0 s"],
  [...FAST, "compress.jobPages=8", "compress.jobWait=1 us", "source.host=snb-e5-2630"],
  [...FAST, "compress.engine=lz4-sw", "compress.jobPages=16", "compress.jobWait=100 ns"],
  [...FAST, "compress.engine=qat-gen4", "compress.jobPages=3", "compress.jobWait=1 us"],
  [...FAST, "compress.engine=bf2-deflate", "compress.jobPages=8", "compress.jobWait=2 us"],
  [...FAST, "compress.engine=bf2-deflate", "compress.jobPages=2", "source.card.dram.bandwidth=60 Gbit/s"],
];

/** Clocks of 1 ns. */
const clockOf = (t: number): number => t / abi.TICKS_PER_NS;

/** Reads of card DRAM by the framer: when, and how many bytes of a record, header and payload. */
function framed(run: Run): { clock: number; bytes: number }[] {
  const starts = of(run, abi.T_STAGE, 0).filter((e) => e.which === abi.U_FRAMER);
  return starts.map((e) => ({ clock: clockOf(e.t), bytes: recordBytes(run, e.a, e.t, e.c) }));
}

/** Payload of a page's record is what the encoder made of it; that of others is none. */
function recordBytes(run: Run, pfn: number, t: number, kind: number): number {
  if (kind !== JOB_PAGE) return 16;
  const sizes = of(run, abi.T_PAGE, 0).filter((e) => e.which === abi.P_CODED && e.a === pfn && e.t < t);
  return 16 + sizes.at(-1)!.b;
}

/** Every job of the first round is that of the slow encoders; how many there were, and how full. */
export function checkJobs(sets: readonly string[]): { jobs: number; pages: number } {
  const text = guestText("1 MiB", { rate: "0 /s", mix: "{ zero: 10, text: 60, random: 30 }" });
  const run = runText(text, { sets: ["content=sized", ...sets] });
  ended("jobs", run);
  const what = `jobs, ${sets.slice(FAST.length).join(" ")}`;
  const p = run.params.sides[0];
  for (let engine = 0; engine < p[abi.S_LZ_ENGINES]!; engine++)
    for (const state of [abi.BLOCKED, abi.W_SRAM])
      same(`${what}: room behind`, accountTicks(run.core, 0, abi.A_LZ + engine, state), 0n);
  const ways = of(run, abi.T_PAGE, 0);
  const coded = new Map(ways.filter((e) => e.which === abi.P_CODED).map((e) => [e.a, e.c]));
  const pages = ways
    .filter((e) => e.which === abi.P_SORTED && e.b === 0)
    .map((e) => ({ seenAtClock: clockOf(e.t) + 1, span: coded.get(e.a)!, pfn: e.a }));
  const dram = new Dram([p[abi.S_DRAM_NUM]!, p[abi.S_DRAM_DEN]!]);
  const reads = framed(run);
  const [num, den] = [BigInt(p[abi.S_LZ_SPAN_NUM]!), BigInt(p[abi.S_LZ_SPAN_DEN]!)];
  const tick = BigInt(abi.TICKS_PER_NS);
  const clocks = (ticks: bigint): number => Number((ticks + tick - 1n) / tick);
  const jobs = jobsSlowly(pages, {
    engines: p[abi.S_LZ_ENGINES]!,
    mostPages: p[abi.S_LZ_JOB_PAGES]!,
    waitClocks: clockOf(p[abi.S_LZ_JOB_WAIT]!),
    doneAt: (clock, n, span) => {
      let from = clock;
      if (n > 1 && p[abi.S_LZ_COPIES] === 1) {
        // of one time the framer asks first
        while (reads.length > 0 && reads[0]!.clock <= clock) {
          const { clock: at, bytes } = reads.shift()!;
          dram.serve(BigInt(at) * tick, 2 * bytes);
        }
        from = clocks(dram.serve(BigInt(clock) * tick, 2 * n * abi.PAGE_BYTES));
      }
      const taken = p[abi.S_LZ_SETUP]! + span;
      if (den === 0n) return from + Math.max(1, taken);
      return Math.max(from + 1, clocks(BigInt(from) * tick + (BigInt(taken) * num + den - 1n) / den));
    },
  });
  const found = of(run, abi.T_STAGE, 0).filter((e) => e.which === abi.U_COMPRESS && e.c === JOB_PAGE);
  same(
    what,
    found.map((e) => `${e.a} ${clockOf(e.t)} ${clockOf(e.b)}`).join(),
    jobs.map((job) => `${pages[job.first]!.pfn} ${job.clock} ${job.doneAtClock}`).join(),
  );
  // of the core that nobody watches: the time of all encoders, with pieces of device state
  const { core } = runText(text, { sets: ["content=sized", ...sets], variant: "lean" });
  const engines = Array.from({ length: p[abi.S_LZ_ENGINES]! }, (_, i) => i);
  const busy = engines.reduce((sum, i) => sum + accountTicks(core, 0, abi.A_LZ + i, abi.BUSY), 0n);
  const state = of(run, abi.T_STAGE, 0).filter((e) => e.which === abi.U_COMPRESS && e.c !== JOB_PAGE);
  const taken = jobs.reduce((sum, job) => sum + job.doneAtClock - job.clock, 0);
  const ticks = BigInt(taken) * tick + state.reduce((sum, e) => sum + BigInt(e.b - e.t), 0n);
  same(`${what}: time of encoders`, busy, ticks);
  return { jobs: jobs.length, pages: pages.length };
}

/** All of them. */
export function checkAllJobs(): void {
  for (const sets of JOB_ROWS) checkJobs(sets);
}
