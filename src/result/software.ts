// SPDX-License-Identifier: Apache-2.0
/**
 * The result of a migration in software. What the thread tells is put where the core's log and counters of a
 * migration with cards are, so that sections and fingerprint are made in one way; what is of cards is null.
 *
 * Host cores: the source's thread works setup + synchronisations + pages, its channels their pages, and it
 * stops the guest; the destination's works pages and device state. What the kernel does for the socket on
 * other cores is left out, and what channels of the destination decompress.
 */
import * as abi from "../../assembly/abi.ts";
import type { Core } from "../core.ts";
import { frameBytes, segmentBytes } from "../params.ts";
import type { ResolvedScenario } from "../scenario/types.ts";
import type { ResolvedSoftware } from "../scenario/types-software.ts";
import type { SoftwareMigration, SoftwareResult } from "../software.ts";
import { type Findings, makeResult, type Origin } from "./make.ts";
import type { Outcome } from "./migration.ts";
import { nsOf, type Reading, readCore } from "./reading.ts";
import type { Result } from "./schema.ts";
import { roundsFit, softwareBounds, softwareUnits } from "./software-limits.ts";

/** All that it is made from. */
export interface SoftwareRun {
  readonly core: Core;
  readonly scenario: ResolvedScenario;
  readonly own: ResolvedSoftware;
  readonly m: SoftwareMigration;
  readonly told: SoftwareResult;
  readonly origin: Origin;
  readonly pages: number;
  readonly outcome: Outcome;
  readonly findings: Findings;
  /** Time up to which was simulated. */
  readonly until: bigint;
  /** Whether XBZRLE's deltas are those of contents. */
  readonly encodes: boolean;
}

/** Bytes on the wire of bytes of the stream, in full frames. */
export function wireBytes(link: ResolvedScenario["link"], bytes: number): number {
  const payload = segmentBytes(link);
  const last = bytes % payload;
  return Math.floor(bytes / payload) * frameBytes(link, payload) + (last === 0 ? 0 : frameBytes(link, last));
}

/** Ticks of host cores: source, destination. */
export function hostTicks({ scenario, own, m, told, outcome }: SoftwareRun): readonly [bigint, bigint] {
  const done = outcome.status === "completed";
  // with post-copy the source is not there when device state is set
  const ahead = m.ahead === null ? 0 : Math.ceil(told.restBytes / 1024) * m.ahead.loadTicks;
  const there = done && m.postcopy === null ? BigInt(m.deviceTicks + ahead) : 0n;
  const stop = done ? BigInt(m.stopTicks) : 0n;
  const source = told.workedTicks + told.channelTicks - there + stop;
  const loads =
    BigInt(told.normalPages) * BigInt(own.loadTicks) + BigInt(told.zeroPages) * BigInt(own.loadZeroTicks);
  const early = m.ahead === null ? 0 : Math.ceil(told.aheadBytes / 1024) * m.ahead.loadTicks;
  const last = done ? m.deviceTicks + ahead - Math.floor(scenario.link.rttTicks / 2) : 0;
  const device = BigInt(early + last);
  return [source, loads + device];
}

function logOf(run: SoftwareRun, before: readonly bigint[]): bigint[] {
  const { core, m, told, outcome } = run;
  const read = (index: number): bigint => core.u64(core.address("qemuReading") + index * 8);
  const log = [...before];
  log[abi.L_STARTED] = m.startAtTicks;
  log[abi.L_SETUP_DONE] = read(abi.QR_SETUP_DONE);
  log[abi.L_SUSPENDED] = read(abi.QR_SUSPENDED);
  log[abi.L_RESUMED] = read(abi.QR_RESUMED) === 0n ? read(abi.QR_ENDED) : read(abi.QR_RESUMED);
  log[abi.L_ENDED] = read(abi.QR_ENDED);
  log[abi.L_ROUNDS] = BigInt(told.rounds.length);
  log[abi.L_PRECOPY_BYTES] = BigInt(told.precopyBytes);
  log[abi.L_PENDING_PAGES] = read(abi.QR_PENDING);
  log[abi.L_STATUS] = BigInt(
    outcome.status === "completed" ? abi.STATUS_COMPLETED : abi.STATUS_NOT_CONVERGED,
  );
  return log;
}

/** Wire bytes of the rounds: a frame that two of them share is of the one that began it. */
function roundWire({ scenario, told }: SoftwareRun): number[] {
  let carried = 0;
  return told.rounds.map(({ bytes }) => {
    const before = wireBytes(scenario.link, carried);
    carried += bytes;
    return wireBytes(scenario.link, carried) - before;
  });
}

function readingOf(run: SoftwareRun): Reading {
  const { core, scenario, told } = run;
  const ended = core.u64(core.address("qemuReading") + abi.QR_ENDED * 8);
  const reading = readCore(core, ended === 0n ? run.until : ended);
  const [source, destination] = reading.counters.map((all) => [...all]) as [bigint[], bigint[]];
  const { carriedBytes, writtenBytes } = told.times!;
  const [here, there] = hostTicks(run);
  source[abi.C_READ_PAGES] = BigInt(told.normalPages + told.zeroPages);
  source[abi.C_ZERO_PAGES] = BigInt(told.zeroPages);
  source[abi.C_RECORD_BYTES_B] = BigInt(writtenBytes);
  source[abi.C_NET_PAYLOAD_B] = BigInt(carriedBytes);
  source[abi.C_NET_WIRE_BYTES] = BigInt(wireBytes(scenario.link, carriedBytes));
  source[abi.C_HOST_TICKS] = here;
  destination[abi.C_HOST_TICKS] = there;
  const wire = roundWire(run);
  const rounds = told.rounds.map((_, i) => {
    const at = core.address("roundsAt") + i * abi.RL_COUNT * 8;
    const row = Array.from({ length: abi.RL_COUNT }, (_, entry) => core.u64(at + entry * 8));
    row[abi.RL_WIRE] = BigInt(wire[i]!);
    return row;
  });
  return { ...reading, counters: [source, destination], log: logOf(run, reading.log), rounds };
}

/** Device state is no part of RAM: what went ahead of the stop, and the rest. */
function deviceOf({ told, m }: SoftwareRun): NonNullable<Result["migration"]["device"]> {
  return {
    aheadBytes: told.aheadBytes,
    ackNs: told.ackedTicks === null ? null : nsOf(told.ackedTicks - m.startAtTicks),
    stopBytes: told.restBytes,
  };
}

/** Each byte that was written is in one of them, or device state. */
function bytesOf({ told, m, core }: SoftwareRun): Partial<Result["migration"]["ram"]> {
  const suspended = core.u64(core.address("qemuReading") + abi.QR_SUSPENDED * 8) !== 0n;
  const thread = told.times!.writtenBytes - (m.multifd === null ? 0 : told.multifdBytes);
  const precopy = suspended ? told.precopyBytes : thread;
  const postcopy = m.postcopy === null || !told.complete ? 0 : told.postcopyBytes;
  return {
    "precopy-bytes": precopy - told.aheadBytes,
    "downtime-bytes": thread - precopy - told.restBytes - postcopy,
    ...(m.postcopy === null
      ? {}
      : { "postcopy-bytes": postcopy, "postcopy-requests": told.postcopyRequests }),
    ...(m.multifd === null ? {} : { "multifd-bytes": told.multifdBytes }),
  };
}

/** With post-copy pages are placed after the resume. */
function residualOf({ told, m, core }: SoftwareRun): number | null {
  if (m.postcopy === null || !told.complete) return null;
  const read = (index: number): bigint => core.u64(core.address("qemuReading") + index * 8);
  return nsOf(read(abi.QR_ENDED) - read(abi.QR_RESUMED));
}

/** Makes the result. */
export function makeSoftwareResult(run: SoftwareRun): Result {
  const { scenario, origin, pages, outcome, findings, told, m } = run;
  const reading = readingOf(run);
  const bounds = softwareBounds(run);
  const more = softwareUnits(run, reading.elapsedTicks);
  const made = makeResult({ scenario, origin, pages, reading, outcome, findings, bounds, more });
  const { migration, link, guest, series, stats } = made;
  // the log of rounds may be shorter than the migration
  const ram = {
    ...migration.ram,
    normal: told.normalPages,
    "normal-bytes": told.normalPages * abi.PAGE_BYTES,
    "dirty-sync-count": told.syncs,
    ...bytesOf(run),
  };
  const cache =
    m.xbzrle === null
      ? {}
      : {
          "xbzrle-cache": {
            "cache-size": m.xbzrle.cachePages * abi.PAGE_BYTES,
            bytes: told.xbzrleBytes,
            pages: told.xbzrlePages,
            "cache-miss": told.xbzrleMisses,
            overflow: told.xbzrleOverflows,
            deltas: run.encodes ? ("encoded" as const) : ("drawn" as const),
          },
        };
  const limit = m.dirtyLimit === null ? {} : { "dirty-limit-throttle-time-per-round": told.limitSleepUs };
  const phases = { ...migration.phases, residualNs: residualOf(run) };
  return {
    ...made,
    migration: { ...migration, phases, ram, ...cache, ...limit, device: deviceOf(run) },
    check: { ...made.check, invariants: [...made.check.invariants, roundsFit(run)] },
    link: { ...link, dataLinks: null },
    guest: { ...guest, slowdown: scenario.tracker.kind === "bitmap" ? null : guest.slowdown },
    series: { ...series, goodput: null, placed: null },
    stats: Object.fromEntries(Object.entries(stats).filter(([name]) => /^source\.guest\./.test(name))),
  };
}
