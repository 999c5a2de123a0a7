// SPDX-License-Identifier: Apache-2.0
/** Cores that have nothing to do: what their accounts say that they wait for. */
import * as abi from "../../../assembly/abi.ts";
import { edge } from "../reference/cores.ts";
import { guestText, of, type Run, runText } from "../timeline.ts";
import { accountTicks } from "./chain.ts";
import { claim, ended, same } from "./expect.ts";

const cores = (run: Run, side: 0 | 1, state: number): bigint[] =>
  Array.from({ length: run.params.sides[side][abi.S_CORES]! }, (_, c) =>
    accountTicks(run.core, side, abi.A_CORE + c, state),
  );

/**
 * 1,024 random pages over 1 Gbit/s with a window of 16 pages: they are read 50 times as fast as they are
 * sent, so once the places behind the cores are full, a tenth of all pages, each core is blocked until the
 * record of the last page has been begun; until the first one and from the last one on it is starved.
 */
export function checkBlockedCores(): void {
  const text = guestText("4 MiB", { rate: "0 /s", mix: "{ zero: 0, text: 0, random: 100 }" });
  const sets = ["content=sized", "compress=off", "link.rateCap=1 Gbit/s", "link.window=64 KiB"];
  const seen = runText(text, { sets });
  const run = runText(text, { sets, variant: "lean" });
  ended("cores at rest", run);
  const elapsed = run.core.logged(abi.L_ENDED);
  const records = of(seen, abi.T_STAGE, 0).filter(
    (e) => e.which === abi.U_CONTROL && e.c === abi.F_PAGE_RECORD,
  );
  const beside = BigInt(records[0]!.t) + elapsed - BigInt(records[1023]!.b);
  const [busy, starved, blocked] = [abi.BUSY, abi.STARVED, abi.BLOCKED].map((state) => cores(run, 0, state));
  for (const [c, ticks] of blocked!.entries()) {
    claim(`cores at rest: core ${c} is blocked`, 10n * ticks > 8n * elapsed, ticks, `most of ${elapsed}`);
    const rest = starved![c]! + busy![c]!;
    claim(`cores at rest: core ${c} is starved else`, rest >= beside, rest, `at least ${beside}`);
  }
}

/** While their processor is down idle cores are blocked, no tick longer where nothing else blocks them. */
export function checkCoresDown(): void {
  const text = guestText("512 KiB", { rate: "0 /s", mix: "{ zero: 0, text: 100, random: 0 }" });
  const free = runText(text, { variant: "lean" });
  const all = (ticks: number): string => cores(free, 1, abi.BLOCKED).fill(BigInt(ticks)).join();
  same("cores down: blocked without", cores(free, 1, abi.BLOCKED).join(), all(0));
  const at = (ns: number): number => edge(free.params.sides[1], abi.S_CTL_NUM, ns * abi.TICKS_PER_NS);
  // behind a short one there is nothing to do for most cores, behind a long one for all
  for (const forNs of [2, 30_000]) {
    const fault = { at: "100 us", what: "firmware-restart", side: "destination", for: `${forNs} ns` };
    const run = runText(text, { sets: [`faults=${JSON.stringify([fault])}`], variant: "lean" });
    ended("cores down", run);
    const down = at(100_000 + forNs) - at(100_000);
    same(`cores down for ${forNs} ns: blocked`, cores(run, 1, abi.BLOCKED).join(), all(down));
  }
}
