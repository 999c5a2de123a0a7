// SPDX-License-Identifier: Apache-2.0
/** The firmware's choice of compression against the slow one: each look, each page's way, each ask. */
import * as abi from "../../../assembly/abi.ts";
import { asks, choicesAt, type Recorded, routes } from "../reference/choice.ts";
import { frameBytes } from "../reference/tcp.ts";
import { guestText, of, type Run, runText } from "../timeline.ts";
import { ended, same } from "./expect.ts";

const EVENT_CHOICE = 0x40000002;
const JOB_PAGE = 1;

const SLOW = "compress.engine=lz4-sw";
const FAST_HOST = "source.host=gen5-host";
/** Links and encoders on both sides of the crossover, and near it. */
export const MIXED_LINKS: readonly (readonly string[])[] = [
  [SLOW, "link.rate=25 Gbit/s"],
  [SLOW, "link.rate=5 Gbit/s", "compress.chooseEvery=16"],
  [SLOW, "link.rate=8 Gbit/s", "compress.chooseEvery=16", "encrypt=off"],
  ["link.rate=100 Gbit/s", "source.card.compressor.engines=1", "compress.chooseEvery=8", FAST_HOST],
  [
    "compress.engine=vitis-lz4-8e",
    "link.rate=40 Gbit/s",
    "link.mtu=1500",
    "compress.chooseEvery=32",
    FAST_HOST,
  ],
  [SLOW, "link.rate=25 Gbit/s", "link.window=64 KiB", "link.rtt=100 us", "compress.chooseEvery=16"],
];

/** All of them. */
export function checkAllChoices(): void {
  for (const sets of MIXED_LINKS) checkChoices(sets);
}

/** What counters of link and encoders are made of. */
function recordedOf(run: Run): Recorded {
  const g = run.params.global;
  let rest = 0n;
  const frames = of(run, abi.T_FRAME, 0).map((e) => {
    // remainders of a tick are carried to the next frame
    const ticks = BigInt(frameBytes(g, e.a)) * BigInt(g[abi.G_NET_TICKS_NUM]!) + rest;
    const den = BigInt(g[abi.G_NET_TICKS_DEN]!);
    rest = ticks % den;
    return { at: e.t, payload: e.a, link: e.which, freeAt: e.t + Number(ticks / den) };
  });
  const sizes = of(run, abi.T_PAGE, 0).filter((e) => e.which === abi.P_CODED);
  const jobs = of(run, abi.T_STAGE, 0).filter((e) => e.which === abi.U_COMPRESS && e.c === JOB_PAGE);
  const seen = of(run, abi.T_APPEND, 0).map((e) => ({ at: e.t, bytes: e.a, link: e.which }));
  return {
    frames,
    seen: seen.sort((a, b) => a.at - b.at),
    coded: jobs.map((e, i) => ({ at: e.t, end: e.b, bytes: sizes[i]!.b })),
    engines: run.params.sides[0][abi.S_LZ_ENGINES]!,
    aroundBytes: g[abi.G_ENCRYPT_BITS] === 0 ? 16 : 32,
  };
}

/** Every choice of a run is that of the slow rule; how many looks, changes and raw pages there were. */
export function checkChoices(sets: readonly string[]): { looks: number; changes: number; raw: number } {
  const writes = { rate: "300000 /s", workingSet: "256 KiB", mix: "{ zero: 5, text: 80, random: 15 }" };
  const all = ["content=sized", "compress.choose=throughput", "migration.maxRounds=3", ...sets];
  const run = runText(guestText("2 MiB", writes), { sets: all });
  ended("choice", run);
  const what = `choice, ${sets.join(" ")}`;
  const looks = of(run, abi.T_STAGE, 0)
    .filter((e) => e.which === abi.U_CONTROL && e.a === EVENT_CHOICE)
    .map((e) => e.b);
  const pages: { at: number; pfn: number; coded: boolean }[] = [];
  const last = new Map<number, number>();
  for (const e of of(run, abi.T_PAGE, 0)) {
    if (e.which === abi.P_SORTED && e.b === 0)
      last.set(e.a, pages.push({ at: e.t, pfn: e.a, coded: false }) - 1);
    else if (e.which === abi.P_CODED) pages[last.get(e.a)!]!.coded = true;
  }
  const choices = choicesAt(looks, recordedOf(run));
  const ways = routes(pages, looks, choices);
  same(`${what}: the way of each page`, pages.map(({ coded }) => +coded).join(""), ways.map(Number).join(""));
  const window = run.params.global[abi.G_CHOOSE]!;
  same(`${what}: looks`, looks.length, asks(pages, looks, window));
  const changes = choices.filter((on, i) => on !== (choices[i - 1] ?? true)).length;
  // of the core that nobody watches
  const { core } = runText(guestText("2 MiB", writes), { sets: all, variant: "lean" });
  const counter = (index: number): number => core.counter(0, index);
  same(`${what}: changes`, counter(abi.C_CHOICES), changes);
  const raw = ways.filter((coded) => !coded).length;
  same(`${what}: raw pages`, counter(abi.C_BY_CHOICE), raw);
  return { looks: looks.length, changes, raw };
}
