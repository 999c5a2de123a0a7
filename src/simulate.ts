// SPDX-License-Identifier: Apache-2.0
/**
 * One migration: a scenario and its guest in, a Result out. No files, no wall clock: a browser's worker does
 * the same.
 */
import * as abi from "../assembly/abi.ts";
import { attemptOf, keysOf, nextScenario, withAttempts } from "./attempts.ts";
import { clairvoyantOf } from "./clairvoyant.ts";
import type { Core } from "./core.ts";
import { Feeder } from "./feeder.ts";
import { wordOfSize, wordsOf } from "./given-sizes.ts";
import { partsOf, scenarioOf } from "./guest-parts.ts";
import { compareGuests, type Fed, fillDeviceStates, merged, stateEqual, together } from "./guests.ts";
import { compare } from "./oracle.ts";
import { setParams } from "./params.ts";
import { refuseDevices } from "./params-devices.ts";
import { setGuests } from "./params-guests.ts";
import { storagePages } from "./params-storage.ts";
import { invariantName } from "./result/invariants.ts";
import { type Findings, isSound, makeResult } from "./result/make.ts";
import { loggedOutcome, type Outcome } from "./result/migration.ts";
import { readCore } from "./result/reading.ts";
import type { Attempt, Result } from "./result/schema.ts";
import {
  type Progress,
  RunRefused,
  type SimulateInput,
  SimulatorFault,
  SLICE_TICKS,
  TIME_MAX_TICKS,
} from "./running.ts";
import type { ResolvedScenario } from "./scenario/types.ts";
import { softwareSimulation } from "./software-run.ts";
import { loadStorage, widened } from "./storage.ts";

export { type Progress, RunRefused, type SimulateInput, SimulatorFault } from "./running.ts";

/** Two images of the guest lie in 4 GiB in `content: full`. */
export const FULL_PAGES_MAX = (1536 * 2 ** 20) / abi.PAGE_BYTES;

/**
 * The longest a run could take, in ticks: every round sends all of memory at the slowest of link and cap.
 * What is under way at the timeout may have to be sent, and one round more: a stop that has begun goes on.
 */
function longest(scenario: ResolvedScenario, pages: number): bigint {
  const { migration, link } = scenario;
  const start = BigInt(migration.startAtTicks);
  const timeout = migration.timeoutTicks === null ? null : BigInt(migration.timeoutTicks);
  const cap = link.rateCapTicksPerByte;
  const perByte = Math.max(link.ticksPerByte[0] / link.ticksPerByte[1], cap === null ? 0 : cap[0] / cap[1]);
  const bytes = pages * abi.PAGE_BYTES + scenario.guest.deviceStateBytes;
  const perRound = bytes * perByte + 2 * link.rttTicks;
  const ticksOf = (rounds: number): bigint =>
    BigInt(Math.min(Number.MAX_SAFE_INTEGER, Math.ceil((rounds * perRound) / 1e6))) * 1_000_000n;
  const all = ticksOf(migration.maxRounds + 1);
  const limited = timeout === null ? all : timeout + ticksOf(2);
  return start + (migration.onTimeout === "fail" || limited < all ? limited : all);
}

function refuse(scenario: ResolvedScenario, pages: number): void {
  refuseDevices(scenario, pages);
  if (scenario.content.mode === "full" && pages > FULL_PAGES_MAX) {
    const mib = (n: number): number => Math.ceil((n * abi.PAGE_BYTES) / 2 ** 20);
    throw new RunRefused(
      "content",
      `full carries every page twice and the guest has ${mib(pages)} MiB, ` +
        `at most ${mib(FULL_PAGES_MAX)} MiB; use sized`,
    );
  }
  if (longest(scenario, pages) <= TIME_MAX_TICKS) return;
  const limited = scenario.migration.timeoutTicks !== null;
  throw new RunRefused(
    limited ? "migration.timeout" : "migration.maxRounds",
    `the run could pass 2.5 h of simulated time; give ${limited ? "a shorter timeout" : "migration.timeout"}`,
  );
}

/** What feeds the guest, or each of several. */
function feederOf({ core, scenario, stream }: SimulateInput): Fed {
  const [words, ofSize] = [wordsOf(scenario), wordOfSize(scenario)];
  if (scenario.guests === undefined) return new Feeder(core, stream.fork(), scenario, words, ofSize);
  const feeders = partsOf(scenario, stream).map(
    (part, k) => new Feeder(core, stream.parts![k]!.fork(), scenarioOf(scenario, k), words, ofSize, part),
  );
  return together(core, feeders);
}

function prepare(input: SimulateInput, before: number): Fed {
  const { core, scenario, stream } = input;
  refuse(scenario, stream.pages);
  setParams(core, scenario, stream.pages, input.quantumTicks ?? null);
  core.setGlobalParam(abi.G_ATTEMPT, before);
  setGuests(core, scenario, stream);
  const built = core.build();
  if (built === 1) {
    const { mode } = scenario.content;
    const right = mode === "sized" ? "make the guest or link.window smaller" : "use sized";
    throw new RunRefused("content", `${mode} does not fit 4 GiB with ${stream.pages} pages; ${right}`);
  }
  if (built !== 0) throw new SimulatorFault(`the board was not built (${built})`);
  const feeder = feederOf(input);
  feeder.loadImage();
  loadStorage(core, scenario, wordsOf(scenario));
  fillDeviceStates(core, scenario, stream);
  feeder.feed();
  return feeder;
}

function progressOf(core: Core, pages: number, at: bigint): Progress {
  const placedPages = core.counter(1, abi.C_PLACED_PAGES) + core.counter(1, abi.C_PLACED_ZERO);
  const round = Number(core.logged(abi.L_ROUNDS));
  const expectedPages = Math.max(pages, core.counter(0, abi.C_DIRTY_COLLECTED));
  return { atNs: Number(at) / abi.TICKS_PER_NS, round, placedPages, expectedPages };
}

/** Why the run loop ended, and when. */
interface Ended {
  readonly stop: number;
  readonly at: bigint;
  /** The guest came to the end of its trace, which was to be a failure. */
  readonly traceEnded: boolean;
}

/** Runs to the end, a slice at a time. */
function* advance(input: SimulateInput, feeder: Fed): Generator<Progress, Ended> {
  const { core, scenario, stream } = input;
  const slice = input.sliceTicks ?? SLICE_TICKS;
  const failAt = scenario.guest.atEnd === "fail" ? stream.endTicks : null;
  let until = 0n;
  for (;;) {
    until += slice;
    const watching = failAt !== null && core.logged(abi.L_SUSPENDED) === 0n;
    if (watching && until > failAt) until = failAt;
    let stop = core.run(until);
    while (stop === abi.STOP_INPUT) {
      feeder.feed();
      stop = core.run(until);
    }
    if (stop !== abi.STOP_UNTIL) return { stop, at: core.clockNow(), traceEnded: false };
    if (
      watching &&
      until === failAt &&
      core.logged(abi.L_SUSPENDED) === 0n &&
      core.logged(abi.L_ENDED) === 0n
    ) {
      return { stop, at: until, traceEnded: true };
    }
    if (until > TIME_MAX_TICKS) {
      throw new RunRefused(
        "migration.timeout",
        "the run passed 2.5 h of simulated time; give a shorter timeout",
      );
    }
    yield progressOf(core, stream.pages, until);
  }
}

/** Memory and device state against what they must be. */
function compared(input: SimulateInput, completed: boolean) {
  const { core, scenario, stream } = input;
  if (scenario.guests !== undefined) {
    const guests = compareGuests(core, stream, scenario);
    const moved = guests.filter((one) => one.deviceStateEqual !== null);
    const equal = moved.length === 0 ? null : moved.every((one) => one.deviceStateEqual);
    const comparison = merged(guests, partsOf(scenario, stream));
    return { comparison, deviceStateEqual: equal, guests };
  }
  const { deviceStateBytes: deviceBytes } = scenario.guest;
  return {
    comparison: compare(core, stream.fork(), scenario, completed ? "destination" : "source"),
    deviceStateEqual: completed ? stateEqual(core, { deviceFirst: 0, deviceBytes }, scenario.seed) : null,
  };
}

function examine(input: SimulateInput, feeder: Fed, ended: Ended, outcome: Outcome): Findings {
  const { core, scenario, stream } = input;
  const broken = {
    number: Number(core.global("brokenInvariant")),
    left: BigInt.asUintN(64, BigInt(core.global("brokenLeft"))),
    right: BigInt.asUintN(64, BigInt(core.global("brokenRight"))),
    at: BigInt.asUintN(64, BigInt(core.global("brokenAt"))),
  };
  const { captured, estimated } = feeder;
  if (ended.stop === abi.STOP_INVARIANT) {
    const none = { comparison: null, deviceStateEqual: null, notHome: null, writtenOff: null };
    return { broken, ...none, clairvoyant: null, captured, estimated };
  }
  const completed = outcome.status === "completed";
  const notHome = ended.stop === abi.STOP_DONE ? core.notHome() : null;
  const records = Number(core.global("recordsWrittenOff"));
  const lost = notHome !== null && (Number(core.global("linkClosed")) !== 0 || records !== 0);
  const [linkBytes, inCard] = ["bytesWrittenOff", "cardWrittenOff"].map((name) => Number(core.global(name)));
  const writtenOff = lost ? { records, linkBytes: linkBytes!, inCard: inCard! } : null;
  // of one guest: those of several are sent in turns
  const alone = completed && scenario.guests === undefined;
  const clairvoyant = alone ? clairvoyantOf(core, stream.fork(), scenario) : null;
  const found = { ...compared(input, completed), notHome, writtenOff, clairvoyant };
  return { broken, ...found, captured, estimated };
}

function outcomeOf(reading: ReturnType<typeof readCore>, ended: Ended, core: Core): Outcome {
  if (ended.stop === abi.STOP_INVARIANT) {
    const name = invariantName(Number(core.global("brokenInvariant")));
    return { status: "failed", reason: `invariant ${name} broke` };
  }
  if (ended.traceEnded) return { status: "failed", reason: "the guest's trace ended before the migration" };
  return loggedOutcome(reading);
}

/** One attempt; `given` is the scenario as it was asked for. */
function* attempt(
  input: SimulateInput,
  given: ResolvedScenario,
  before: number,
): Generator<Progress, Result> {
  const { core, stream, origin } = input;
  const feeder = prepare(input, before);
  const ended = yield* advance(input, feeder);
  if (ended.stop === abi.STOP_DEADLOCK) {
    throw new SimulatorFault(`nothing is due and the migration has not ended, at ${ended.at} ticks`);
  }
  const reading = readCore(core, ended.at);
  const outcome = outcomeOf(reading, ended, core);
  const findings = examine(input, feeder, ended, outcome);
  return makeResult({ scenario: given, origin, pages: stream.pages, reading, outcome, findings });
}

/**
 * A run that yields its progress after every slice of simulated time and returns the result; whoever drives
 * it may stop at any slice. An attempt that has failed is followed by another where the scenario has retries.
 * @throws RunRefused, SimulatorFault, TraceError, RangeError
 */
export function* simulation(input: SimulateInput): Generator<Progress, Result> {
  const given = input.scenario;
  if (given.software !== undefined) return yield* softwareSimulation(input, given.software);
  const { retries } = given.migration;
  const attempts: Attempt[] = [];
  const keys: string[] = [];
  let now = { ...input, stream: widened(input.stream, storagePages(given.guest.storage)) };
  for (;;) {
    const result = yield* attempt(now, given, attempts.length);
    if (retries === 0) return result;
    if (given.encrypt.keyBits > 0) keys.push(...keysOf(now.core));
    const again = result.migration.status === "failed" && isSound(result) && attempts.length < retries;
    if (!again) return withAttempts(result, attempts, keys);
    const { core } = now;
    attempts.push(attemptOf(result, Number(core.logged(abi.L_STARTED)) / abi.TICKS_PER_NS));
    const scenario = nextScenario(now.scenario, core.logged(abi.L_ENDED));
    now = { ...now, core: core.fresh(), scenario };
  }
}

/**
 * Runs a simulation to its end.
 * @param progress told after every slice of simulated time
 */
export function simulate(input: SimulateInput, progress?: (at: Progress) => void): Result {
  const run = simulation(input);
  for (;;) {
    const step = run.next();
    if (step.done) return step.value;
    progress?.(step.value);
  }
}
