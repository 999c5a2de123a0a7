// SPDX-License-Identifier: Apache-2.0
/** Several guests of one server: what became of each, and of all of them. */
import * as abi from "../../assembly/abi.ts";
import type { GuestFindings } from "../guests.ts";
import type { ResolvedScenario } from "../scenario/types.ts";
import { phaseTimes, REASONS, span } from "./migration.ts";
import { type RamCounts, ramOf } from "./ram.ts";
import { nsOf, type Reading } from "./reading.ts";
import type { GuestResult, Migration, Result } from "./schema.ts";

type Round = Migration["rounds"][number];

/** The latest of some times, null when there is none. */
function worst(times: readonly (number | null)[]): number | null {
  const known = times.filter((time) => time !== null);
  return known.length === 0 ? null : Math.max(...known);
}

/** Whose rounds they were, from 1. */
export function withOwners(rounds: readonly Round[], reading: Reading): Round[] {
  if (reading.guests.length === 0) return [...rounds];
  return rounds.map((round, i) => ({ ...round, guest: Number(reading.rounds[i]![abi.RL_GUEST]) + 1 }));
}

/**
 * Bytes of the records of each guest's pages. The source has not heard of the last round before the end: what
 * it sent is the rest.
 */
function bytesOf(reading: Reading): bigint[] {
  const bytes = reading.guests.map((row) => row[abi.GT_BYTES]!);
  const owner = Number(reading.rounds.at(-1)?.[abi.RL_GUEST] ?? 0);
  const all = reading.counters[0]![abi.C_RECORD_BYTES_B]!;
  if (bytes[owner] !== undefined) bytes[owner] += all - bytes.reduce((sum, n) => sum + n, 0n);
  return bytes;
}

/** Bytes on the wire of each guest outside its rounds: at the end nobody else's are the last one's. */
function outsideOf(reading: Reading, rounds: readonly Round[]): number[] {
  const outside = reading.guests.map((row) => Number(row[abi.GT_OUTSIDE]));
  const owner = Number(reading.rounds.at(-1)?.[abi.RL_GUEST] ?? 0);
  const last = reading.rounds.at(-1);
  if (outside[owner] === undefined || last === undefined || last[abi.RL_END] === 0n) return outside;
  const all = Number(reading.counters[0]![abi.C_NET_WIRE_BYTES]);
  outside[owner] += all - Number(reading.wireFrom) - (rounds.at(-1)?.bytesOnWire ?? 0);
  return outside;
}

function outcomeOf(row: readonly bigint[]): Pick<Migration, "status" | "reason"> {
  const reason = REASONS[Number(row[abi.GT_REASON])] ?? null;
  if (row[abi.GT_RESUMED] !== 0n)
    return { status: "completed", reason: reason === null ? null : `${reason}; the stop was forced` };
  if (Number(row[abi.GT_STATUS]) === abi.GUEST_GIVEN_UP) return { status: "not-converged", reason };
  return { status: "failed", reason: "the run ended before" };
}

/** What a guest's rounds have sent. */
function ramCounts(row: readonly bigint[], transferred: number, rounds: readonly Round[]): RamCounts {
  const sum = (key: "normalPages" | "zeroPages" | "durationNs"): number =>
    rounds.reduce((n, round) => n + round[key], 0);
  return {
    pages: Number(row[abi.GT_PAGES]),
    remainingPages: Number(row[abi.GT_PENDING]),
    zeroPages: sum("zeroPages"),
    normalPages: sum("normalPages"),
    transferred,
    precopy: row[abi.GT_SUSPENDED] === 0n ? transferred : Number(row[abi.GT_PRECOPY]),
    postcopy: null,
    requests: null,
    spentNs: sum("durationNs"),
  };
}

/** A guest's migration: times since the evacuation began, so that its waiting is the setup's. */
function migrationOfGuest(
  row: readonly bigint[],
  reading: Reading,
  bytes: bigint,
  outside: number,
  all: readonly Round[],
  k: number,
): Migration {
  const { start, end } = span(reading);
  const own = all.filter(({ guest }) => guest === k + 1);
  const rounds = own.map(({ guest: _, ...round }, i) => ({ ...round, index: i + 1 }));
  const at = (index: number): bigint | null => (row[index] === 0n ? null : row[index]!);
  const from = (since: bigint | null, until: bigint | null): number | null =>
    since === null || until === null ? null : nsOf(until - since);
  const [tracked, stopped, resumed] = [abi.GT_TRACKED, abi.GT_SUSPENDED, abi.GT_RESUMED].map(at);
  const downtimeNs = from(stopped!, resumed!);
  const until = resumed ?? at(abi.GT_ENDED) ?? end;
  return {
    ...outcomeOf(row),
    totalTimeNs: nsOf(until - start),
    downtimeNs,
    setupTimeNs: from(start, tracked!),
    rounds,
    bytesOutsideRounds: outside,
    phases: {
      ...phaseTimes(start, { setup: tracked!, precopy: stopped!, stop: resumed! }, until),
      deviceStateNs: from(stopped!, at(abi.GT_DEVICE_DONE)),
      residualNs: from(stopped!, at(abi.GT_RAM_DONE)),
    },
    ram: ramOf(ramCounts(row, Number(bytes), rounds), rounds, row[abi.GT_RESUMED] !== 0n),
    attempts: null,
    faults: [],
  };
}

/** Ticks that the vCPUs of a guest have run since the evacuation began. */
function ran(row: readonly bigint[], reading: Reading): number {
  const { start, end } = span(reading);
  const until = row[abi.GT_SUSPENDED] === 0n ? end : row[abi.GT_SUSPENDED]!;
  return Number(until - start) * Number(row[abi.GT_VCPUS]);
}

const millionths = (part: number, whole: number): number =>
  whole > 0 ? Math.round((1e6 * part) / whole) / 1e6 : 0;

function guestSection(row: readonly bigint[], reading: Reading): Result["guest"] {
  const stall = row[abi.GT_STALL]!;
  return {
    slowdown: millionths(Number(stall), ran(row, reading)),
    writeFaults: Number(row[abi.GT_FAULTS]),
    falseDirtyPages: null,
    stallNs: nsOf(stall),
    firstTouchNs: null,
  };
}

/** The guests of a result; null where the server has one. */
export function guestsOf(
  reading: Reading,
  rounds: readonly Round[],
  findings: readonly GuestFindings[] | undefined,
): GuestResult[] | null {
  if (reading.guests.length === 0) return null;
  const bytes = bytesOf(reading);
  const outside = outsideOf(reading, rounds);
  return reading.guests.map((row, k) => {
    const found = findings?.[k];
    return {
      migration: migrationOfGuest(row, reading, bytes[k]!, outside[k]!, rounds, k),
      check: {
        pagesCompared: found?.pagesCompared ?? 0,
        pagesDifferent: found?.pagesDifferent ?? 0,
        firstDifferentPage: found?.firstDifferent ?? null,
        deviceStateEqual: found?.deviceStateEqual ?? null,
      },
      guest: guestSection(row, reading),
    };
  });
}

/** The server's migration: the downtime is the worst of its guests, and what is of one guest is null. */
export function serverMigration(migration: Migration, guests: readonly GuestResult[] | null): Migration {
  if (guests === null) return migration;
  const downtimeNs = worst(guests.map((one) => one.migration.downtimeNs));
  const sum = (key: "remaining" | "precopy-bytes" | "downtime-bytes" | "dirty-pages-rate"): number =>
    guests.reduce((total, one) => total + (one.migration.ram[key] ?? 0), 0);
  const { setupNs } = migration.phases;
  return {
    ...migration,
    downtimeNs,
    phases: { setupNs, precopyNs: null, stopNs: downtimeNs, deviceStateNs: null, residualNs: null },
    ram: {
      ...migration.ram,
      remaining: sum("remaining"),
      "precopy-bytes": sum("precopy-bytes"),
      "downtime-bytes": sum("downtime-bytes"),
      // of each guest's last round before its stop
      "dirty-pages-rate": sum("dirty-pages-rate"),
    },
  };
}

/** The slowdown of all guests: what the vCPUs of all lost of what they could have run. */
export function serverGuest(guest: Result["guest"], reading: Reading): Result["guest"] {
  if (reading.guests.length === 0) return guest;
  const stall = reading.guests.reduce((sum, row) => sum + Number(row[abi.GT_STALL]), 0);
  const all = reading.guests.reduce((sum, row) => sum + ran(row, reading), 0);
  return { ...guest, slowdown: millionths(stall, all) };
}

/** What an evacuation is judged by. */
export function evacuationOf(
  s: ResolvedScenario,
  guests: readonly GuestResult[] | null,
): Pick<Result, "evacuation"> {
  if (guests === null || s.evacuation === undefined) return {};
  const moved = guests.filter(({ migration }) => migration.status === "completed");
  const times = moved.map(({ migration }) => migration.totalTimeNs);
  return {
    evacuation: {
      order: s.evacuation.order,
      moved: moved.length,
      lastNs: worst(times),
      sumNs: Math.round(times.reduce((sum, ns) => sum + ns, 0) * 1000) / 1000,
      worstDowntimeNs: worst(moved.map(({ migration }) => migration.downtimeNs)),
    },
  };
}
