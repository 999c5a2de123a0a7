// SPDX-License-Identifier: Apache-2.0
/** The migration's own section of a result: status, times, rounds, and QEMU's names. */
import * as abi from "../../assembly/abi.ts";
import { frameBytes, segmentBytes } from "../params.ts";
import { time } from "../report/format.ts";
import type { ResolvedScenario } from "../scenario/types.ts";
import { aheadOf, sentUnread } from "./ahead.ts";
import { decryptionOf } from "./decryption.ts";
import { type RamCounts, ramOf } from "./ram.ts";
import { nsOf, type Reading } from "./reading.ts";
import type { Migration } from "./schema.ts";

/** How a migration ended, and why. */
export interface Outcome {
  readonly status: Migration["status"];
  readonly reason: string | null;
}

export const REASONS: Readonly<Record<number, string>> = {
  [abi.REASON_ROUNDS]: "the round limit was reached",
  [abi.REASON_TIMEOUT]: "the time limit was reached",
  [abi.REASON_TRACE_ENDED]: "the guest's trace ended",
  [abi.REASON_CANCELLED]: "it was cancelled",
  [abi.REASON_UNANSWERED]:
    "the link was given up, for what was sent again went unanswered too often (link.retries)",
  [abi.REASON_RESTART]: "the source's card restarted and had forgotten the migration",
  [abi.REASON_RESTART_THERE]: "the destination's card restarted and had forgotten the migration",
  [abi.REASON_ENGINES]: "no engine of the source's card was left to encrypt a record",
  [abi.REASON_ENGINES_THERE]: "no engine of the destination's card was left to decrypt or decode a record",
  [abi.REASON_RING]:
    "the ring of device records was full, which its policy does not bear (records.full: fail)",
  [abi.REASON_TAG]: "a record did not authenticate at the destination",
  [abi.REASON_SILENCE]: "the other card was not heard for too long (migration.silence)",
};

/** The outcome as the core's log tells it; a run that was stopped from outside is `failed`. */
export function loggedOutcome(reading: Reading): Outcome {
  const status = Number(reading.log[abi.L_STATUS]);
  const reason = REASONS[Number(reading.log[abi.L_REASON])] ?? null;
  if (status === abi.STATUS_COMPLETED) {
    return { status: "completed", reason: reason === null ? null : `${reason}; the stop was forced` };
  }
  if (status === abi.STATUS_NOT_CONVERGED) return { status: "not-converged", reason };
  const at = reading.log[abi.L_BROKEN_OFF]!;
  const when = at === 0n ? "" : ` at ${time(nsOf(at))}, ${stageOf(reading)}`;
  const told = reason === null ? null : `${reason}${when}`;
  return { status: status === abi.STATUS_CANCELLED ? "cancelled" : "failed", reason: told };
}

/** Where a migration was when it was broken off, in words. */
function stageOf({ log }: Reading): string {
  if (log[abi.L_ARRIVED] !== 0n && log[abi.L_TOO_LATE] !== 0n)
    return "after the resume: the guest is lost, a part of its memory at either side";
  if (log[abi.L_TOO_LATE] !== 0n)
    return "with all handed over: the guest stays suspended, as it may run at the destination";
  if (log[abi.L_SUSPENDED] !== 0n) return "with the guest stopped";
  return log[abi.L_SETUP_DONE] === 0n ? "in the setup" : `in round ${log[abi.L_ROUNDS]}`;
}

/** Each fault of the scenario, and whether its time came before the end. */
function faultsOf(reading: Reading, s: ResolvedScenario, outcome: Outcome): Migration["faults"] {
  const { end } = span(reading);
  return s.faults.map(({ what, side, atTicks }) => {
    const at = BigInt(atTicks);
    const heeded = what !== "cancel" || outcome.status === "cancelled";
    const effect = at > end ? "after-the-end" : heeded ? "happened" : "too-late";
    return { what, side, atNs: nsOf(at), effect };
  });
}

/** Start and end of the migration in ticks; both 0 when it never began. */
export function span(reading: Reading): { start: bigint; end: bigint } {
  const { log, elapsedTicks } = reading;
  if (log[abi.L_STARTED] === 0n && log[abi.L_SETUP_DONE] === 0n && log[abi.L_ENDED] === 0n) {
    return { start: elapsedTicks, end: elapsedTicks };
  }
  return { start: log[abi.L_STARTED]!, end: log[abi.L_ENDED] === 0n ? elapsedTicks : log[abi.L_ENDED]! };
}

/**
 * Rounds of the log; what the source had not been told of the last one at the end follows from the totals:
 * its bytes are all that went out since it began.
 */
function roundsOf(reading: Reading, s: ResolvedScenario, outcome: Outcome): Migration["rounds"] {
  const { log, rounds } = reading;
  const { end } = span(reading);
  let normal = 0n;
  let zero = 0n;
  let wire = 0n;
  return rounds.map((row, i) => {
    const told = row[abi.RL_END] !== 0n;
    const counters = reading.counters[0]!;
    const left = {
      normal: counters[abi.C_READ_PAGES]! + sentUnread(reading) - counters[abi.C_ZERO_PAGES]! - normal,
      zero: counters[abi.C_ZERO_PAGES]! - zero,
      wire: counters[abi.C_NET_WIRE_BYTES]! - (reading.wireFrom === 0n ? wire : reading.wireFrom),
    };
    const mine = told
      ? { normal: row[abi.RL_NORMAL]!, zero: row[abi.RL_ZERO]!, wire: row[abi.RL_WIRE]! }
      : left;
    normal += mine.normal;
    zero += mine.zero;
    wire += mine.wire;
    const placed = log[abi.L_RAM_DONE] === 0n ? end : log[abi.L_RAM_DONE]!;
    const until = told ? row[abi.RL_END]! : placed;
    // QEMU's thread counts pages when it synchronises its bitmap; the front-end counts all along
    const counted = told || s.software === undefined || outcome.status === "completed";
    // the first round is noted when the tracker starts; that belongs to the setup
    const setup = i === 0 ? log[abi.L_SETUP_DONE]! : 0n;
    const start = row[abi.RL_START]! > setup ? row[abi.RL_START]! : setup;
    return {
      index: i + 1,
      startNs: nsOf(start),
      durationNs: nsOf(until > start ? until - start : 0n),
      normalPages: Math.max(0, Number(mine.normal)),
      zeroPages: Math.max(0, Number(mine.zero)),
      bytesOnWire: Math.max(0, Number(mine.wire)),
      newDirtyPages: counted ? Number(row[abi.RL_NEW_DIRTY]) : null,
    };
  });
}

/**
 * Rounds that put more on the wire than it carries in their time, by number from 1; none in software, where
 * bytes are those of the stream. Both data links leave by one port, a frame is counted when it begins, and
 * nothing is queued on the wire at a round's begin but the rest of one, which was counted before: bytes x
 * ticks of a byte <= end - begin + one frame. A round whose word has not come back may send until the end.
 */
export function roundsTooFast(reading: Reading, s: ResolvedScenario): number[] {
  if (s.software !== undefined) return [];
  const [num, den] = s.link.ticksPerByte.map(BigInt) as [bigint, bigint];
  const frame = BigInt(frameBytes(s.link, segmentBytes(s.link)));
  const all = reading.counters[0]![abi.C_NET_WIRE_BYTES]!;
  return reading.rounds.flatMap((row, i) => {
    const told = row[abi.RL_END] !== 0n;
    const bytes = told ? row[abi.RL_WIRE]! : all - reading.wireFrom;
    const until = told ? row[abi.RL_END]! : reading.elapsedTicks;
    // a remainder of a tick is carried from frame to frame
    return (bytes - frame) * num > (until - row[abi.RL_START]! + 1n) * den ? [i + 1] : [];
  });
}

/** Bytes on the wire between rounds and after the last; null in software. */
function outsideOf(reading: Reading, s: ResolvedScenario, rounds: Migration["rounds"]): number | null {
  if (s.software !== undefined) return null;
  const all = Number(reading.counters[0]![abi.C_NET_WIRE_BYTES]);
  return all - rounds.reduce((sum, { bytesOnWire }) => sum + bytesOnWire, 0);
}

function ramCounts(
  reading: Reading,
  s: ResolvedScenario,
  pages: number,
  outcome: Outcome,
  rounds: Migration["rounds"],
): RamCounts {
  const counters = reading.counters[0]!;
  const { start, end } = span(reading);
  const early = s.migration.residual !== "before-resume";
  // pages that are asked for go on link A
  const transferred = Number(counters[abi.C_RECORD_BYTES_B]! + counters[abi.C_DEMAND_BYTES]!);
  // appended before the guest stopped; all of it when it never did
  const stopped = reading.log[abi.L_SUSPENDED] !== 0n;
  return {
    pages,
    remainingPages: outcome.status === "completed" ? 0 : Number(reading.log[abi.L_PENDING_PAGES]),
    zeroPages: Number(counters[abi.C_ZERO_PAGES]),
    normalPages: rounds.reduce((sum, { normalPages }) => sum + normalPages, 0),
    transferred,
    precopy: stopped ? Number(reading.log[abi.L_PRECOPY_BYTES]) : transferred,
    postcopy: early ? Number(counters[abi.C_POSTCOPY_BYTES]) : null,
    requests: early ? Number(reading.counters[1]![abi.C_DEMANDS]) : null,
    spentNs: nsOf(end - start),
  };
}

/**
 * How long each phase took, in ns, from when the one before was over, or until the end where it was not: they
 * add up to the total of a migration that ends with the resume or before. Null is what never began.
 */
export function phaseTimes(
  start: bigint,
  over: { setup: bigint | null; precopy: bigint | null; stop: bigint | null },
  end: bigint,
): Pick<Migration["phases"], "setupNs" | "precopyNs" | "stopNs"> {
  const until = (from: bigint | null, to: bigint | null): number | null =>
    from === null ? null : nsOf((to ?? end) - from);
  return {
    setupNs: until(start, over.setup),
    precopyNs: until(over.setup, over.precopy),
    stopNs: until(over.precopy, over.stop),
  };
}

/** Builds the section. `pages` is the guest's memory in pages. */
export function migrationOf(
  reading: Reading,
  s: ResolvedScenario,
  pages: number,
  outcome: Outcome,
): Migration {
  const { log } = reading;
  const { start, end } = span(reading);
  const at = (index: number): bigint | null => (log[index] === 0n ? null : log[index]!);
  const from = (index: number, since: bigint | null): number | null => {
    const time = at(index);
    return time === null || since === null ? null : nsOf(time - since);
  };
  const suspended = at(abi.L_SUSPENDED);
  const setupTimeNs = from(abi.L_SETUP_DONE, start);
  const downtimeNs = from(abi.L_RESUMED, suspended);
  const rounds = roundsOf(reading, s, outcome);
  const since = s.migration.residual === "before-resume" ? suspended : at(abi.L_RESUMED);
  const residual = from(abi.L_RAM_DONE, since);
  return {
    ...outcome,
    totalTimeNs: nsOf(end - start),
    downtimeNs,
    setupTimeNs,
    rounds,
    bytesOutsideRounds: outsideOf(reading, s, rounds),
    phases: {
      ...phaseTimes(start, { setup: at(abi.L_SETUP_DONE), precopy: suspended, stop: at(abi.L_RESUMED) }, end),
      deviceStateNs: from(abi.L_DEVICE_DONE, suspended),
      residualNs: residual,
    },
    ...decryptionOf(reading, s),
    ...aheadOf(reading, s),
    ram: ramOf(ramCounts(reading, s, pages, outcome, rounds), rounds, outcome.status === "completed"),
    attempts: null,
    faults: faultsOf(reading, s, outcome),
    ...(s.migration.throttle === "off"
      ? {}
      : { "dirty-limit-throttle-time-per-round": Number(log[abi.L_LIMIT_SLEEP]) }),
  };
}
