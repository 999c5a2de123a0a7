// SPDX-License-Identifier: Apache-2.0
/** Of which pages the bytes are in the core's memory. */
import type { ResolvedScenario } from "./scenario/types.ts";

/** What decides it; without `delta` and `encodes` no deltas are made. */
export type Carrying = Pick<ResolvedScenario, "content"> &
  Partial<Pick<ResolvedScenario, "delta">> & {
    /** QEMU's XBZRLE encodes the pages of a guest whose contents are known. */
    readonly encodes?: boolean;
  };

/** At the destination one page in so many has its bytes, 0: none has. */
export function carriedEvery({ content }: Carrying): number {
  return content.mode === "full" ? 1 : content.mode === "sized" ? 0 : content.sampleEvery;
}

/** At the source one page in so many has its bytes, 0: none has. Deltas are made of bytes: every page. */
export function keptEvery(scenario: Carrying): number {
  const deltas = scenario.encodes === true || (scenario.delta ?? "off") !== "off";
  return deltas ? 1 : carriedEvery(scenario);
}

/** Whether a page is one of those. */
export function isOneOf(every: number, pfn: number): boolean {
  return every !== 0 && pfn % every === 0;
}
