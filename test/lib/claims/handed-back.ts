// SPDX-License-Identifier: Apache-2.0
/** Pages that an engine hands back: what each costs the control processor, and how many there were. */
import * as abi from "../../../assembly/abi.ts";
import { guestText, of, type Run, runText } from "../timeline.ts";
import { accountTicks } from "./chain.ts";
import { ended, same } from "./expect.ts";

const BF2 = "compress.engine=bf2-deflate";
const ZSTD = "compress.engine=qat-gen4-zstd";
const GHZ = 1.5;

interface Row {
  readonly what: string;
  readonly mix: string;
  readonly engine: string;
  /** Page record handlers of the source before the stop: cycles, how many. */
  readonly cycles: string;
  readonly back: number;
}

// 256 pages, the end of the round and its answer; a record costs 120 cycles, one handed back 400 more
export const HANDED_ROWS: readonly Row[] = [
  {
    what: "pages that do not shrink, of an engine that cannot store them",
    ...{ mix: "{ random: 100 }", engine: BF2, cycles: "120: 2, 520: 256", back: 256 },
  },
  { what: "pages that shrink", mix: "{ text: 100 }", engine: BF2, cycles: "120: 258", back: 0 },
  {
    what: "pages below the least job",
    ...{ mix: "{ text: 100 }", engine: ZSTD, cycles: "120: 2, 520: 256", back: 256 },
  },
];

/** Cycles of page record handlers until the guest stops, and how often each. */
function recordCycles(run: Run): string {
  const suspendedAt = Number(run.core.logged(abi.L_SUSPENDED));
  const found = new Map<number, number>();
  for (const e of of(run, abi.T_STAGE, 0)) {
    if (e.which !== abi.U_CONTROL || e.c !== abi.F_PAGE_RECORD || e.t > suspendedAt) continue;
    const cycles = Math.round(((e.b - e.t) / abi.TICKS_PER_NS) * GHZ);
    found.set(cycles, (found.get(cycles) ?? 0) + 1);
  }
  const rows = [...found].sort(([a], [b]) => a - b);
  return rows.map(([cycles, n]) => `${cycles}: ${n}`).join(", ");
}

function runOf({ mix, engine }: Row, variant: "lean" | "instrumented", ...sets: string[]): Run {
  const text = guestText("1 MiB", { rate: "0 /s", mix });
  const all = ["content=sized", engine, "encrypt=off", `source.card.control.clock=${GHZ} GHz`, ...sets];
  const run = runText(text, { sets: all, variant });
  ended("handed back", run);
  return run;
}

/** Time of all cores of the source's control processor. */
function coreTicks({ core, params }: Run): bigint {
  const cores = Array.from({ length: params.sides[0][abi.S_CORES]! }, (_, i) => abi.A_CORE + i);
  return cores.reduce((sum, at) => sum + accountTicks(core, 0, at, abi.BUSY), 0n);
}

/** A row, and the control: for free. */
export function checkHandedBack(row: Row): void {
  const where = `handed back, ${row.what}`;
  const charged = runOf(row, "instrumented", "compress.handBack=charged");
  same(`${where}: cycles`, recordCycles(charged), row.cycles);
  const pieces = charged.core.counter(0, abi.C_LZ_RAW) - row.back;
  same(`${where}: counted`, charged.core.counter(0, abi.C_HANDED_BACK), row.back + pieces);
  // the core that nobody watches takes its cores the same time
  const unwatched = runOf(row, "lean", "compress.handBack=charged");
  same(`${where}: time of cores`, coreTicks(unwatched), coreTicks(charged));
  const free = runOf(row, "instrumented");
  same(`${where}: cycles for free`, recordCycles(free), "120: 258");
  same(`${where}: counted for free`, free.core.counter(0, abi.C_HANDED_BACK), 0);
}

/** All rows. */
export function checkAllHandedBack(): void {
  for (const row of HANDED_ROWS) checkHandedBack(row);
}
