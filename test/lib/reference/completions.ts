// SPDX-License-Identifier: Apache-2.0
/**
 * When completion records are put, from the ways of pages: docs/model.md section 5. Of a batch of reads every
 * N-th page that is complete and the last one have a record, of the writes of a round likewise.
 */
import * as abi from "../../../assembly/abi.ts";
import type { Happening } from "../timeline.ts";

/** A record: from when on the wire may take it. */
export interface CompletionRecord {
  readyAt: number;
  bytes: number;
}

/** The firmware's event that a round has been placed. */
const EVENT_ROUND = 0x40000000;

/** Time of the n-th edge of the card's clock after the first at or after t. */
function edge(p: readonly number[], t: number, n: number): number {
  const [num, den] = [BigInt(p[abi.S_CARD_NUM]!), BigInt(p[abi.S_CARD_DEN]!)];
  let k = (BigInt(t) * den) / num;
  while ((k * num + den - 1n) / den < BigInt(t)) k++;
  return Number(((k + BigInt(n)) * num + den - 1n) / den);
}

const recordAt = (p: readonly number[], readyAt: number): CompletionRecord => ({
  readyAt,
  bytes: p[abi.S_COMPLETION_BYTES]!,
});

/** Records of the source's reads, and the batches there were. */
export function readRecords(
  p: readonly number[],
  events: readonly Happening[],
): { records: CompletionRecord[]; batches: number[] } {
  const every = p[abi.S_COMPLETION_EVERY]!;
  const records: CompletionRecord[] = [];
  const batches: number[][] = [];
  const batchOf = new Map<number, number[]>();
  const sizes: number[] = [];
  for (const e of events) {
    if (e.kind !== abi.T_PAGE || e.side !== 0) continue;
    if (e.which === abi.P_POSTED) {
      if (e.b === 0) {
        batches.push([]);
        sizes.push(e.c);
      }
      batchOf.set(e.a, batches.at(-1)!);
    }
    const batch = e.which === abi.P_READ ? batchOf.get(e.a) : undefined;
    if (batch === undefined) continue;
    batch.push(e.a);
    const last = batch.length === sizes[batches.indexOf(batch)];
    if (batch.length % every === 0 || last) records.push(recordAt(p, edge(p, e.t, 1)));
  }
  return { records, batches: sizes };
}

/** Records of the destination's writes, and how many pages each round wrote. */
export function writeRecords(
  p: readonly number[],
  events: readonly Happening[],
): { records: CompletionRecord[]; rounds: number[] } {
  const every = p[abi.S_COMPLETION_EVERY]!;
  // a page's last write is handed over so many clocks after its first; then a round's end is told of
  const steps = events.flatMap((e) => {
    if (e.side !== 1) return [];
    if (e.kind === abi.T_PAGE && e.which === abi.P_PLACED && e.c > 0)
      return [{ at: edge(p, e.t, (e.c - 1) * p[abi.S_WRITE_ISSUE]!), end: false }];
    const answered = e.kind === abi.T_STAGE && e.which === abi.U_CONTROL && e.c === abi.F_ROUND_END;
    return answered && e.a === EVENT_ROUND ? [{ at: e.b, end: true }] : [];
  });
  steps.sort((a, b) => a.at - b.at);
  const records: CompletionRecord[] = [];
  const rounds: number[] = [];
  let written = 0;
  for (const { at, end } of steps) {
    if (!end) {
      written++;
      if (written % every === 0) records.push(recordAt(p, edge(p, at, 1)));
      continue;
    }
    if (written % every !== 0) records.push(recordAt(p, edge(p, at + 1, 0)));
    rounds.push(written);
    written = 0;
  }
  return { records, rounds };
}
