// SPDX-License-Identifier: Apache-2.0
/** Puts a result together from what the core counted and what the checks found. */
import * as abi from "../../assembly/abi.ts";
import type { Clairvoyant } from "../clairvoyant.ts";
import type { GuestFindings } from "../guests.ts";
import type { Comparison } from "../oracle.ts";
import type { ResolvedScenario } from "../scenario/types.ts";
import { CAUSES, oddSince, type Unit, unitsOf, unitsSince } from "./accounts.ts";
import { trackedFrom } from "./ahead.ts";
import { bottleneckOf } from "./bottleneck.ts";
import { type Bounds, boundsHold, boundsOf } from "./bounds.ts";
import { hashJson } from "./canonical.ts";
import { fingerprint } from "./fingerprint.ts";
import { evacuationOf, guestsOf, serverGuest, serverMigration, withOwners } from "./guests.ts";
import { BOUNDS_HOLD, evaluatedIn, INVARIANTS, ROUNDS_FIT, SOURCE_INTACT } from "./invariants.ts";
import { migrationOf, type Outcome, roundsTooFast, span } from "./migration.ts";
import { nsOf, type Reading } from "./reading.ts";
import type { Invariant, Migration, Result } from "./schema.ts";
import { percentile, statsOf } from "./stats.ts";
import { storageOf } from "./storage.ts";

/** Where a run's inputs came from; hashes in hex. */
export interface Origin {
  readonly version: string;
  readonly build: string;
  /** Of the trace file; null when the guest generates its writes. */
  readonly trace: string | null;
  readonly traceHint: string | null;
}

/** What the checks after a run found. */
export interface Findings {
  /** The core's number of the invariant that broke during the run, 0 for none, with its values and time. */
  readonly broken: { number: number; left: bigint; right: bigint; at: bigint };
  /** Memory against the replayed trace; null when an invariant broke before. */
  readonly comparison: Comparison | null;
  /** Whether the destination's device state is the source's; null unless the migration completed. */
  readonly deviceStateEqual: boolean | null;
  /** Things that were not home after the drain; null when there was no drain. */
  readonly notHome: number | null;
  /** What a link that was given up, or is lost, kept; null for any other. */
  readonly writtenOff: { records: number; linkBytes: number; inCard: number } | null;
  /** What a migration that knew the future would send; null unless this one completed. */
  readonly clairvoyant: Clairvoyant | null;
  /** Page versions given to the core with recorded contents, and with stand-ins. */
  readonly captured: number;
  readonly estimated: number;
  /** Of each of several guests. */
  readonly guests?: readonly GuestFindings[];
}

/** All a result is made from. */
export interface Ingredients {
  readonly scenario: ResolvedScenario;
  readonly origin: Origin;
  /** The guest's memory in pages. */
  readonly pages: number;
  readonly reading: Reading;
  readonly outcome: Outcome;
  readonly findings: Findings;
  /** Of a migration in software, which has its own. */
  readonly bounds?: Bounds;
  /** Units beside those with accounts, likewise. */
  readonly more?: readonly Unit[];
}

function unitTimes({ ticks }: Unit): Result["units"][string] {
  const waitingTicks: Record<string, string> = {};
  for (const [state, cause] of Object.entries(CAUSES)) {
    const n = ticks[Number(state)]!;
    if (n !== 0n) waitingTicks[cause] = String(n);
  }
  return {
    busyTicks: String(ticks[abi.BUSY]),
    starvedTicks: String(ticks[abi.STARVED]),
    blockedTicks: String(ticks[abi.BLOCKED]),
    waitingTicks,
  };
}

/**
 * Units whose named times do not add up to the elapsed ticks: an account outside the table of causes shows
 * here.
 */
export function unbalanced(units: Result["units"], elapsedTicks: bigint): string[] {
  return Object.entries(units)
    .filter(([, unit]) => {
      const waits = Object.values(unit.waitingTicks).map(BigInt);
      const all = [unit.busyTicks, unit.starvedTicks, unit.blockedTicks].map(BigInt).concat(waits);
      return all.reduce((sum, n) => sum + n, 0n) !== elapsedTicks;
    })
    .map(([name]) => name);
}

/** The list of invariants that were looked at in this run, broken ones with their values. */
function invariantsOf(input: Ingredients, units: Result["units"], bounds: Bounds): Invariant[] {
  const { findings, reading, outcome } = input;
  const { broken, comparison, deviceStateEqual, notHome } = findings;
  const list: Invariant[] = [];
  const held = (name: string, ok: boolean, left?: unknown, right?: unknown): void => {
    if (ok) list.push({ name, held: true });
    else list.push({ name, held: false, left: String(left), right: String(right) });
  };
  const whole = broken.number === 0;
  for (const [key, name] of Object.entries(INVARIANTS)) {
    const number = Number(key);
    if (number === broken.number) {
      const { left, right, at } = broken;
      list.push({ name, held: false, atTicks: String(at), left: String(left), right: String(right) });
    } else if (number === abi.I_DESTINATION_EQUALS_SOURCE) {
      if (comparison === null) continue;
      const differ = (subject: string, n: number): void => held(subject, n === 0, `${n} pages differ`, 0);
      const { guests } = findings;
      const of = (there: boolean) => guests?.filter((one) => (one.deviceStateEqual !== null) === there) ?? [];
      const different = (found: readonly Comparison[]): number =>
        found.reduce((n, { pagesDifferent }) => n + pagesDifferent, 0);
      if (of(true).length > 0 && of(false).length > 0) {
        differ(name, different(of(true)));
        differ(SOURCE_INTACT, different(of(false)));
      } else differ(outcome.status === "completed" ? name : SOURCE_INTACT, comparison.pagesDifferent);
    } else if (number === abi.I_DEVICE_STATE) {
      if (deviceStateEqual !== null) held(name, deviceStateEqual, "differs", "equal");
    } else if (number === abi.I_CONSERVED) {
      if (notHome !== null) held(name, notHome === 0, notHome, 0);
    } else if (number === abi.I_ACCOUNTING) {
      if (!whole) continue;
      const asked = reading.elapsedTicks - span(reading).start;
      const since = asked === 0n ? [] : unitsSince(reading.accounts, reading.before.accounts);
      const odd = [...unbalanced(units, reading.elapsedTicks), ...oddSince(since, asked)];
      held(name, odd.length === 0, odd.join(" "), reading.elapsedTicks);
    } else if (evaluatedIn(reading, number)) {
      held(name, true);
    }
  }
  if (whole) {
    const { start } = span(reading);
    const elapsed = reading.elapsedTicks - start;
    const wire = Number(reading.counters[0]![abi.C_NET_WIRE_BYTES]);
    const fast = roundsTooFast(reading, input.scenario);
    if (input.scenario.software === undefined && reading.rounds.length > 0)
      held(ROUNDS_FIT, fast.length === 0, `rounds ${fast}`, "none");
    held(BOUNDS_HOLD, boundsHold(bounds, elapsed, wire), elapsed, JSON.stringify(bounds));
  }
  return list;
}

function checkOf(input: Ingredients, units: Result["units"], bounds: Bounds): Result["check"] {
  const { comparison, deviceStateEqual, captured, estimated } = input.findings;
  const versions = captured + estimated;
  return {
    pagesCompared: comparison?.pagesCompared ?? 0,
    pagesDifferent: comparison?.pagesDifferent ?? 0,
    firstDifferentPage: comparison?.firstDifferent ?? null,
    deviceStateEqual,
    writtenOff: input.findings.writtenOff,
    contentCapturedPercent: versions === 0 ? 100 : Math.round((1e6 * captured) / versions) / 1e4,
    invariants: invariantsOf(input, units, bounds),
  };
}

function linkOf(reading: Reading, units: readonly Unit[], ticks: bigint): Result["link"] {
  const n = (counter: number): number => Number(reading.counters[0]![counter]);
  const payloadBytes = n(abi.C_NET_PAYLOAD_A) + n(abi.C_NET_PAYLOAD_B);
  const totalNs = nsOf(ticks);
  const busy = units.find(({ name }) => name === "source.link.tx")?.ticks[abi.BUSY] ?? 0n;
  return {
    goodputBitsPerSecond: totalNs > 0 ? Math.round((payloadBytes * 8e9) / totalNs) : 0,
    wireBytes: n(abi.C_NET_WIRE_BYTES),
    payloadBytes,
    utilization: ticks === 0n ? 0 : Math.min(1, Math.round((1e6 * Number(busy)) / Number(ticks)) / 1e6),
    dataLinks: {
      state: { recordBytes: n(abi.C_RECORD_BYTES_A), payloadBytes: n(abi.C_NET_PAYLOAD_A) },
      pages: { recordBytes: n(abi.C_RECORD_BYTES_B), payloadBytes: n(abi.C_NET_PAYLOAD_B) },
    },
  };
}

function guestOf(reading: Reading, s: ResolvedScenario): Result["guest"] {
  const counters = reading.counters[0]!;
  const { start, end } = span(reading);
  const tracked = trackedFrom(s, start);
  const until = reading.log[abi.L_SUSPENDED] === 0n ? end : reading.log[abi.L_SUSPENDED]!;
  const { missing } = s.migration;
  const resumed = reading.log[abi.L_RESUMED]!;
  const there = missing !== undefined && resumed !== 0n ? end - resumed : 0n;
  const ran = Number(until - tracked + there) * s.guest.vcpus;
  const stall = counters[abi.C_STALL_TICKS]! + reading.counters[1]![abi.C_STALL_TICKS]!;
  const touches = reading.histograms[1]![abi.H_FIRST_TOUCH]!;
  const at = (share: number): number => nsOf(BigInt(Math.round(percentile(touches, share))));
  const cores = counters[abi.C_GUEST_CPU]!;
  return {
    slowdown: ran > 0 ? Math.round((1e6 * Number(stall + cores)) / ran) / 1e6 : 0,
    writeFaults: Number(counters[abi.C_FAULTS]),
    falseDirtyPages: s.tracker.group === 1 ? null : Number(counters[abi.C_FALSE_DIRTY]),
    stallNs: nsOf(stall),
    ...(s.sides.source.host.cpu.cores === 0 ? {} : { cpuStallNs: nsOf(cores) }),
    firstTouchNs: touches.count === 0n ? null : { p50: at(0.5), p99: at(0.99) },
    ...storageOf(reading, s),
  };
}

/** What cores of a host have worked at stages of pages. */
function hostStageTicks(reading: Reading, { placement: { stages } }: ResolvedScenario, side: number): bigint {
  const of = (stage: keyof typeof stages, counter: number): bigint =>
    stages[stage].at.startsWith("host") ? reading.counters[side]![counter]! : 0n;
  return side === 0
    ? of("zero", abi.C_STAGE_ZERO) + of("compress", abi.C_STAGE_COMPRESS) + of("encrypt", abi.C_STAGE_CRYPT)
    : of("decrypt", abi.C_STAGE_CRYPT) + of("decompress", abi.C_STAGE_DECOMPRESS);
}

function seriesOf(reading: Reading): Result["series"] {
  const windowNs = nsOf(reading.seriesWindowTicks);
  const rate = (factor: number) => (n: number) => Math.round((n * factor * 1e9) / windowNs);
  return {
    windowNs,
    goodput: reading.series[abi.SERIES_GOODPUT]!.map(rate(8)),
    dirtyRate: reading.series[abi.SERIES_DIRTY]!.map(rate(1)),
    placed: [...reading.series[abi.SERIES_PLACED]!],
    pending: null,
  };
}

function boundsSection(bounds: Bounds): Result["bounds"] {
  const ns = (ticks: number): number => Math.floor((ticks / abi.TICKS_PER_NS) * 1000) / 1000;
  const orNull = (ticks: number | null): number | null => (ticks === null ? null : ns(ticks));
  return {
    linkNs: ns(bounds.link),
    pcieNs: orNull(bounds.pcie),
    compressNs: orNull(bounds.compress),
    encryptNs: orNull(bounds.encrypt),
    ...(bounds.thread === null ? {} : { threadNs: ns(bounds.thread) }),
    ...(bounds.channels === undefined ? {} : { channelsNs: ns(bounds.channels) }),
    clairvoyantNs: orNull(bounds.clairvoyant?.ticks ?? null),
    clairvoyantBytes: bounds.clairvoyant?.bytes ?? null,
  };
}

/** What a unit that had nothing to do before did from `start` on. */
function begunAt(start: bigint): (unit: Unit) => Unit {
  return (unit) => ({
    ...unit,
    ticks: unit.ticks.map((ticks, state) => (state === abi.STARVED ? ticks - start : ticks)),
  });
}

/** Makes a result. Nothing in it depends on the machine, the wall clock or a path. */
export function makeResult(input: Ingredients): Result {
  const { scenario, origin, pages, reading, outcome } = input;
  const more = input.more ?? [];
  const list = [...unitsOf(reading.accounts), ...more];
  const units = Object.fromEntries(list.map((unit) => [unit.name, unitTimes(unit)]));
  const { start, end } = span(reading);
  const completed = outcome.status === "completed";
  const bounds = input.bounds ?? boundsOf(reading, scenario, completed, input.findings.clairvoyant);
  const since = [...unitsSince(reading.accounts, reading.before.accounts), ...more.map(begunAt(start))];
  const { limit, shares } = bottleneckOf(since, reading.elapsedTicks - start);
  const seconds = (side: number): number => {
    const ticks = reading.counters[side]![abi.C_HOST_TICKS]! + hostStageTicks(reading, scenario, side);
    return Math.round(nsOf(ticks)) / 1e9;
  };
  const told: Migration = migrationOf(reading, scenario, pages, outcome);
  const rounds = withOwners(told.rounds, reading);
  const guests = guestsOf(reading, rounds, input.findings.guests);
  const migration = serverMigration({ ...told, rounds }, guests);
  return {
    schema: "dpusim.result/1",
    provenance: {
      version: origin.version,
      build: origin.build,
      scenario: hashJson(scenario),
      trace: origin.trace,
      traceHint: origin.traceHint,
      seed: scenario.seed,
    },
    fingerprint: fingerprint(reading),
    scenario,
    elapsedTicks: String(reading.elapsedTicks),
    migration,
    check: checkOf(input, units, bounds),
    units,
    bottleneck: { ...(limit ?? { unit: null, cause: null, share: 0 }), shares },
    bounds: boundsSection(bounds),
    link: linkOf(reading, since, end - start),
    guest: serverGuest(guestOf(reading, scenario), reading),
    hostCpu: { sourceCoreSeconds: seconds(0), destinationCoreSeconds: seconds(1) },
    series: seriesOf(reading),
    guests,
    ...evacuationOf(scenario, guests),
    stats: statsOf(reading),
  };
}

/** Whether a result is what a user hopes for: completed, memory equal, every invariant held. */
export function isGood(result: Result): boolean {
  return result.migration.status === "completed" && isSound(result);
}

/** Whether nothing is wrong with the simulation itself, however the migration ended. */
export function isSound({ check }: Result): boolean {
  return (
    check.pagesDifferent === 0 && check.deviceStateEqual !== false && check.invariants.every((i) => i.held)
  );
}
