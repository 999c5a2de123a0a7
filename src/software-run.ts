// SPDX-License-Identifier: Apache-2.0
/**
 * `placement: qemu`: one migration in software from scenario to result. What a synchronisation costs follows
 * from the host's preset, pages / 64 words and a flush of TLBs; the last byte travels half a round trip.
 */
import * as abi from "../assembly/abi.ts";
import type { Core } from "./core.ts";
import type { Feeder } from "./feeder.ts";
import type { WordOf } from "./given-sizes.ts";
import { compare } from "./oracle.ts";
import { frameBytes, segmentBytes } from "./params.ts";
import type { Findings } from "./result/make.ts";
import type { Outcome } from "./result/migration.ts";
import type { Result } from "./result/schema.ts";
import { makeSoftwareResult } from "./result/software.ts";
import {
  type Progress,
  RunRefused,
  type SimulateInput,
  SimulatorFault,
  SLICE_TICKS,
  TIME_MAX_TICKS,
} from "./running.ts";
import type { Sizes } from "./scenario/software-section.ts";
import type { Ratio, ResolvedScenario } from "./scenario/types.ts";
import type { ResolvedSoftware } from "./scenario/types-software.ts";
import {
  advanceSoftware,
  carriedOf,
  DoesNotFit,
  type SoftwareGuest,
  type SoftwareMigration,
  softwareResult,
  startSoftware,
} from "./software.ts";
import { deflateRaw } from "./trace/deflate.ts";

const TICKS_PER_MS = 1_000_000n * BigInt(abi.TICKS_PER_NS);
const TICKS_PER_SECOND = 1000n * TICKS_PER_MS;
const DENOMINATOR_MAX = 2n ** 32n;

/** Ticks of a byte of the stream in full frames, rounded up where it has no exact form. */
export function ticksPerStreamByte(link: ResolvedScenario["link"]): Ratio {
  const payload = segmentBytes(link);
  const [num, den] = link.ticksPerByte;
  let above = BigInt(num) * BigInt(frameBytes(link, payload));
  let below = BigInt(den) * BigInt(payload);
  while (below >= DENOMINATOR_MAX || above > BigInt(Number.MAX_SAFE_INTEGER)) {
    above = (above + 1n) / 2n;
    below /= 2n;
  }
  return [Number(above), Number(below)];
}

/** `max-bandwidth`: the cap, else what the link carries of the stream. */
function bandwidth({ link }: ResolvedScenario): number {
  const [num, den] = ticksPerStreamByte(link);
  const cap = link.rateCapTicksPerByte;
  const [ticks, bytes] = cap === null ? [num, den] : cap;
  return Number((TICKS_PER_SECOND * BigInt(bytes)) / BigInt(ticks));
}

/** What the thread is told. */
export function softwareOf(s: ResolvedScenario, own: ResolvedSoftware, pages: number): SoftwareMigration {
  const { source, destination } = s.sides;
  const [cycle, per] = source.host.cpu.ticksPerCycle;
  const words = Math.ceil(pages / 64);
  const scan = Math.ceil((words * source.host.tracker.scanWordCycles * cycle) / per);
  const { resumeTicks, deviceStatePerKibTicks } = destination.host.frontend;
  const kib = Math.ceil(s.guest.deviceStateBytes / 1024);
  return {
    startAtTicks: BigInt(s.migration.startAtTicks),
    maxBandwidthBytes: bandwidth(s),
    downtimeLimitMs: Number(BigInt(s.migration.downtimeLimitTicks) / TICKS_PER_MS),
    normalTicks: own.normalTicks,
    zeroTicks: own.zeroTicks,
    // rings are flushed when they are brought in
    syncTicks: scan + (s.tracker.kind === "dirty-ring" ? 0 : source.host.tracker.tlbFlushTicks),
    wakeTicks: own.wakeTicks,
    setupTicks: own.setupTicks,
    stopTicks: source.host.frontend.suspendTicks,
    // with a part ahead the core counts what is left
    deviceTicks:
      resumeTicks +
      (own.features.ahead === null ? kib * deviceStatePerKibTicks : 0) +
      Math.floor(s.link.rttTicks / 2),
    deviceBytes: s.guest.deviceStateBytes,
    romPages: 0,
    romNormalPages: 0,
    unwrittenPages: 0,
    unwrittenAt: 0,
    autoConverge: false,
    ticksPerByte: ticksPerStreamByte(s.link),
    socketBytes: own.socketBytes,
    ...own.features,
  };
}

const TRACKERS: Readonly<Record<string, number>> = {
  "write-protect": abi.TRACKER_WRITE_PROTECT,
  bitmap: abi.TRACKER_BITMAP,
  "dirty-ring": abi.TRACKER_DIRTY_RING,
};

function guestOf(s: ResolvedScenario, own: ResolvedSoftware, isKnown: boolean): SoftwareGuest {
  const { tracker } = s.sides.source.host;
  const { kind, logEntries } = s.tracker;
  return {
    vcpus: s.guest.vcpus,
    wall: s.guest.clock === "wall",
    tracker: TRACKERS[kind]!,
    faultTicks: tracker.writeFaultTicks,
    ...(own.features.xbzrle !== null && isKnown ? { known: s.content } : {}),
    ring:
      kind !== "dirty-ring"
        ? null
        : {
            entries: logEntries,
            exitTicks: tracker.logExitTicks,
            entryTicks: tracker.logEntryTicks,
            protectTicks: tracker.protectPageTicks,
            flushTicks: tracker.tlbFlushTicks,
          },
  };
}

function start(input: SimulateInput, m: SoftwareMigration, guest: SoftwareGuest): Feeder {
  try {
    const wordOf = wordsOf(input.scenario.software!.sizes);
    return startSoftware(input.core, input.stream.fork(), m, guest, wordOf);
  } catch (error) {
    if (!(error instanceof DoesNotFit)) throw error;
    const key = error.what === "cache" ? "software.xbzrle.cacheSize" : "guest";
    throw new RunRefused(key, `${error.message}; make it smaller`);
  }
}

/** Content words of pages with contents. */
function wordsOf(sizes: Sizes): WordOf {
  if (sizes !== "zlib") return () => sizes;
  // what does not shrink is stored: 5 bytes more, as DEFLATE does
  return (body) => Math.min(deflateRaw(body, 1).length, abi.PAGE_BYTES + 5);
}

/** Deltas of contents that are known are encoded, and of those that are not drawn: each has its keys. */
function checkContents({ scenario, stream }: SimulateInput, own: ResolvedSoftware): void {
  if (own.features.xbzrle === null) return;
  const [drawn] = own.drawn;
  if (stream.isKnown === true && drawn !== undefined)
    throw new RunRefused(
      `software.xbzrle.${drawn}`,
      "is of traces without contents; the bytes are known here and encoded; remove it",
    );
  if (stream.isKnown !== true && scenario.content.mode !== "sized")
    throw new RunRefused(
      "content",
      "carries bodies; the trace has not the bytes of every version, and deltas are drawn; write sized",
    );
}

/** When it is broken off, and whether that is the scenario's own limit. */
function limitOf({ migration }: ResolvedScenario): { at: bigint; own: boolean } {
  const { startAtTicks, timeoutTicks } = migration;
  const at = timeoutTicks === null ? TIME_MAX_TICKS : BigInt(startAtTicks) + BigInt(timeoutTicks);
  return at < TIME_MAX_TICKS ? { at, own: true } : { at: TIME_MAX_TICKS, own: false };
}

function progressOf(core: Core, m: SoftwareMigration, at: bigint): Progress {
  const told = softwareResult(core, m, false, null);
  const placedPages = told.normalPages + told.zeroPages;
  const pending = Number(core.u64(core.address("qemuReading") + abi.QR_PENDING * 8));
  const atNs = Number(at) / abi.TICKS_PER_NS;
  return { atNs, round: told.syncs, placedPages, expectedPages: placedPages + pending };
}

function outcomeOf(stop: number): Outcome {
  if (stop === abi.STOP_DONE) return { status: "completed", reason: null };
  if (stop === abi.STOP_UNTIL) return { status: "not-converged", reason: "the time limit was reached" };
  return { status: "failed", reason: "an invariant broke" };
}

function givenUp(syncs: number): Outcome {
  const reason = `${syncs} synchronisations were not enough, and QEMU goes on until it is cancelled`;
  return { status: "not-converged", reason };
}

/** Memory against the replayed trace; the device state has no bytes here. */
function examine(input: SimulateInput, feeder: Feeder, stop: number, encodes: boolean): Findings {
  const { core, stream } = input;
  const scenario = { ...input.scenario, encodes };
  const number = Number(core.global("brokenInvariant"));
  const value = (name: string): bigint => BigInt.asUintN(64, BigInt(core.global(name)));
  const [left, right, at] = [value("brokenLeft"), value("brokenRight"), value("brokenAt")];
  const subject = stop === abi.STOP_DONE ? "destination" : "source";
  const { captured, estimated } = feeder;
  return {
    broken: { number, left, right, at },
    comparison: number === 0 ? compare(core, stream.fork(), scenario, subject) : null,
    deviceStateEqual: null,
    notHome: null,
    writtenOff: null,
    clairvoyant: null,
    captured,
    estimated,
  };
}

/** A migration in software. @throws RunRefused, SimulatorFault */
export function* softwareSimulation(
  input: SimulateInput,
  own: ResolvedSoftware,
): Generator<Progress, Result> {
  const { core, scenario, origin } = input;
  const { pages } = input.stream;
  const m = softwareOf(scenario, own, pages);
  checkContents(input, own);
  const guest = guestOf(scenario, own, input.stream.isKnown === true);
  const { encodes } = carriedOf(m, guest);
  const feeder = start(input, m, guest);
  const limit = limitOf(scenario);
  const slice = input.sliceTicks ?? SLICE_TICKS;
  let until = 0n;
  let stop: number = abi.STOP_UNTIL;
  while (stop === abi.STOP_UNTIL && until < limit.at) {
    if (until > 0n) yield progressOf(core, m, until);
    until = until + slice < limit.at ? until + slice : limit.at;
    stop = advanceSoftware(core, feeder, until);
  }
  if (stop === abi.STOP_DEADLOCK) throw new SimulatorFault(`nothing is due and the migration has not ended`);
  if (stop === abi.STOP_UNTIL && !limit.own)
    throw new RunRefused(
      "migration.timeout",
      "the run passed 2.5 h of simulated time; give a shorter timeout",
    );
  if (stop === abi.STOP_UNTIL) core.fn("cutStalls")(until);
  const told = softwareResult(core, m, stop === abi.STOP_DONE, until);
  const gaveUp = told.givenUpTicks !== null;
  if (gaveUp) until = told.givenUpTicks!;
  const outcome = gaveUp ? givenUp(told.syncs) : outcomeOf(stop);
  const findings = examine(input, feeder, gaveUp ? abi.STOP_UNTIL : stop, encodes);
  const made = { core, scenario, own, m, told, origin, pages, outcome, findings, until, encodes };
  return makeSoftwareResult(made);
}
