// SPDX-License-Identifier: Apache-2.0
/**
 * Lower bounds of stages that the cores of a card do: n jobs of so many cycles keep k cores for n / k of them
 * at least. The last job of each core may still be under way at the end, so one a core is taken off; so is
 * the one piece of device state that is shorter than the others.
 */
import * as abi from "../../assembly/abi.ts";
import { gcmPerKib } from "../params-stages.ts";
import type { ResolvedScenario, ResolvedSide } from "../scenario/types.ts";
import type { Reading } from "./reading.ts";

const PAGE_KIB = abi.PAGE_BYTES / 1024;

/** Whether a stage is done by a card's cores. */
export function onCores(
  s: ResolvedScenario,
  stage: "compress" | "encrypt" | "decrypt" | "decompress",
): boolean {
  return s.placement.stages[stage].at === "card-core";
}

/** Whether a stage is done by a host, whose bound is left out. */
export function onHosts(
  s: ResolvedScenario,
  stage: "compress" | "encrypt" | "decrypt" | "decompress",
): boolean {
  return s.placement.stages[stage].at.startsWith("host");
}

function ticksOf({ card }: ResolvedSide, cycles: number): number {
  const [num, den] = card.control.ticksPerCycle;
  return (cycles * num) / den / card.control.cores;
}

/** Pages coded and pages that stayed raw, each at its cost. */
export function encodeOnCores(reading: Reading, s: ResolvedScenario): number {
  const side = s.sides.source;
  const { stages, control } = side.card;
  const raw = Number(reading.counters[0]![abi.C_LZ_RAW]!);
  const coded = Number(reading.counters[0]![abi.C_LZ_PAGES]!) - raw;
  const [dear, cheap] = [stages.lz4PerKibCycles, stages.lz4RawPerKibCycles].sort((a, b) => b - a);
  const all = (coded + raw) * stages.jobCycles;
  const bytes = coded * stages.lz4PerKibCycles + raw * stages.lz4RawPerKibCycles;
  const under = (control.cores + 1) * (stages.jobCycles + PAGE_KIB * Math.max(dear!, cheap!));
  return Math.max(0, ticksOf(side, all + PAGE_KIB * bytes - under));
}

/** So many records decoded, each a page. */
export function decodeOnCores(s: ResolvedScenario, records: number): number {
  const side = s.sides.destination;
  const { stages, control } = side.card;
  const left = Math.max(0, records - control.cores - 1);
  return ticksOf(side, left * (stages.jobCycles + PAGE_KIB * stages.unlz4PerKibCycles));
}

/** So many records with so many bytes of payload in all, sealed or opened. */
export function cryptOnCores(
  s: ResolvedScenario,
  side: ResolvedSide,
  records: number,
  bytes: number,
): number {
  const { stages, control } = side.card;
  const left = Math.max(0, records - control.cores);
  const kib = (left * abi.RECORD_HEADER_BYTES + Math.max(0, bytes - control.cores * abi.PAGE_BYTES)) / 1024;
  return ticksOf(side, left * stages.jobCycles + kib * gcmPerKib(s, side));
}
