// SPDX-License-Identifier: Apache-2.0
// A recorded migration whose destination decrypts on demand, against the slow card.
import * as abi from "../../assembly/abi.ts";
import { sameLists } from "./reference/compare.ts";
import { type Begun, type Kept, keeping, opening } from "./reference/decrypting.ts";
import { of, type Run } from "./timeline.ts";

const log = (run: Run, index: number): number => Number(run.core.logged(index));

/** What the card holds at the end of the rounds: every page that the zero filter has passed on, in order. */
export function keptBy(run: Run): Kept {
  const sorted = of(run, abi.T_PAGE, 0).filter((e) => e.which === abi.P_SORTED);
  return keeping(sorted.map(({ a, b }) => ({ pfn: a, zero: b === 1 })));
}

/** Pages that are plain when the guest resumes. */
export function resumeSetOf(run: Run, { sealed, hot }: Kept): Set<number> {
  const rule = run.params.global[abi.G_RESUME_SET];
  return rule === abi.RESUME_ALL ? sealed : rule === abi.RESUME_HOT ? hot : new Set();
}

/** Bytes of the last record of these pages, as the source has coded them; whole where nothing codes. */
function codedBytes(run: Run, pages: ReadonlySet<number>): number {
  const coded = of(run, abi.T_PAGE, 0).filter(({ which }) => which === abi.P_CODED);
  const last = new Map(coded.map(({ a, b }) => [a, b]));
  return [...pages].reduce((sum, pfn) => sum + (last.get(pfn) ?? abi.PAGE_BYTES), 0);
}

/** Steps of sealed pages of one kind. */
export function stepsOf(run: Run, which: number): { at: number; pfn: number; asked: boolean }[] {
  return of(run, abi.T_DECRYPT, 1)
    .filter((e) => e.which === which)
    .map(({ t, a, b }) => ({ at: t, pfn: a, asked: b === 1 }));
}

/** Throws where a run and the slow card differ; returns the pages that were sealed at the resume. */
export function checkOpening(run: Run): { missing: Set<number>; begun: Begun[] } {
  const { global, sides } = run.params;
  const kept = keptBy(run);
  const set = resumeSetOf(run, kept);
  const missing = new Set([...kept.sealed].filter((pfn) => !set.has(pfn)));
  const [num, den] = [global[abi.G_DECRYPT_NUM]!, global[abi.G_DECRYPT_DEN]!];
  const shape = {
    period: [sides[1][abi.S_CTL_NUM]!, sides[1][abi.S_CTL_DEN]!] as const,
    ahead: global[abi.G_PUSH_AHEAD]!,
    span: num === 0 ? 0 : Math.ceil((abi.PAGE_BYTES * num) / den),
    placed: log(run, abi.L_RAM_DONE),
    resumed: stepsOf(run, abi.K_RESUMED)[0]!.at,
  };
  const [asked, handed] = [stepsOf(run, abi.K_ASKED), stepsOf(run, abi.K_HANDED)];
  const { begun, opened } = opening(shape, set, missing, asked, handed);
  sameLists("page opened", stepsOf(run, abi.K_BEGUN), begun);
  const numbers: [string, number, number][] = [
    ["pages of the resume set", log(run, abi.L_RESUME_SET), set.size],
    ["when it is plain", log(run, abi.L_OPENED), opened],
    ["pages sealed at the resume", log(run, abi.L_RESIDUAL_PAGES), missing.size],
    ["records replaced", Number(run.core.counter(1, abi.C_SUPERSEDED)), kept.replaced],
    ["pages opened", Number(run.core.counter(1, abi.C_DECRYPTED)), kept.sealed.size],
    ["bytes read back", Number(run.core.counter(1, abi.C_DECRYPTED_BYTES)), codedBytes(run, kept.sealed)],
    [
      "bytes of the table",
      Number(run.core.counter(1, abi.C_SEALED_TABLE)),
      abi.SEALED_ENTRY_BYTES * (kept.entries + kept.sealed.size),
    ],
  ];
  sameLists(
    "number",
    numbers.map(([name, mine]) => [name, mine]),
    numbers.map(([name, , theirs]) => [name, theirs]),
  );
  return { missing, begun };
}
