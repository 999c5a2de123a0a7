// SPDX-License-Identifier: Apache-2.0
// Migrations that are broken off, by what docs/model.md section 17 says of them.
import * as abi from "../../../assembly/abi.ts";
import { type Result, simulate } from "../../../src/index.ts";
import { nsOf } from "../../../src/result/reading.ts";
import { generated, inputOf, TICKS_PER_NS } from "../migrate.ts";
import { firmwareGivesUp, tcpGivesUp } from "../reference/giving-up.ts";
import { writesBy } from "../reference/going-on.ts";
import { claim, same } from "./expect.ts";

/** A stop of some milliseconds: the device state is large and the link slow. */
export const SLOW_STOP = {
  guest: { ...generated(600, 400_000), deviceState: "1 MiB" },
  compress: "off",
  content: "sized",
  migration: { maxRounds: 2, downtimeLimit: "1 ns", onTimeout: "force" },
  link: { rate: "1 Gbit/s", rtt: "1 ms" },
};

function unbroken(what: string, { check }: Result): void {
  const broken = check.invariants.find(({ held }) => !held);
  if (broken === undefined) return;
  throw new Error(`invariant ${broken.name}: ${what}: ${broken.left} beside ${broken.right}`);
}

/**
 * Cancelled while the last round is told of, or the device state handed over: the guest is resumed, `resume`
 * later, and has then done what it would have done sooner by the time that it stood still. With a dirty
 * bitmap and no flush nothing else holds it up.
 */
export function checkGoingOn(): Result {
  const sets = ["tracker.kind=bitmap", "source.host.tracker.tlbFlush=0 s"];
  const free = inputOf(SLOW_STOP, { sets });
  same("without a cancel", simulate(free).migration.status, "completed");
  const at = (free.core.logged(abi.L_SUSPENDED) / TICKS_PER_NS + 30_000n) * TICKS_PER_NS;
  const faults = [{ at: `${at / TICKS_PER_NS} ns`, what: "cancel" }];
  const input = inputOf({ ...SLOW_STOP, faults }, { sets });
  const result = simulate(input);
  const { core, stream, scenario } = input;
  unbroken("cancelled", result);
  same("cancelled", result.migration.status, "cancelled");
  const resume = BigInt(scenario.sides.source.host.frontend.resumeTicks);
  same("cancelled: guest resumed", core.logged(abi.L_RESUMED), at + resume);
  const stopped = core.logged(abi.L_RESUMED) - core.logged(abi.L_SUSPENDED);
  same("cancelled: downtime", result.migration.downtimeNs, nsOf(stopped));
  const done = writesBy(stream.fork(), core.logged(abi.L_BOOKS) - stopped);
  same("cancelled: writes by the end", core.counter(0, abi.C_WRITES), done);
  const before = writesBy(stream.fork(), core.logged(abi.L_SUSPENDED));
  claim("cancelled: the guest goes on", done > before, done, `more than ${before}`);
  return result;
}

/** Cancelled when everything has been handed over: the guest goes to the destination, and there alone. */
export function checkTooLate(): void {
  const free = inputOf(SLOW_STOP);
  const { totalTimeNs } = simulate(free).migration;
  const end = free.core.logged(abi.L_ENDED) / TICKS_PER_NS;
  const late = simulate(inputOf({ ...SLOW_STOP, faults: [{ at: `${end - 1000n} ns`, what: "cancel" }] }));
  unbroken("a cancel too late", late);
  same("a cancel too late", late.migration.status, "completed");
  same("a cancel too late: time", late.migration.totalTimeNs, totalTimeNs);
}

const SILENT = { guest: generated(600, 0), compress: "off", encrypt: "off", content: "sized" };

/** When the source's card finds that the link is lost, in ns; the migration fails, the cards are empty. */
function foundNs(what: string, scenario: object): number {
  const input = inputOf({ ...SILENT, ...scenario });
  const result = simulate(input);
  unbroken(what, result);
  same(what, result.migration.status, "failed");
  same(`${what}: pages`, result.check.pagesDifferent, 0);
  const { writtenOff } = result.check;
  claim(`${what}: written off`, writtenOff !== null && writtenOff.records > 0, writtenOff, "something");
  return nsOf(input.core.logged(abi.L_FOUND));
}

/** A link that is lost before the first segment: given up as tcp_retries2 says, or the firmware. */
export function checkGivenUp(): void {
  const faults = [{ at: "0 s", what: "link-down" }];
  for (const [link, seconds, list] of [
    [{ congestion: "cubic" }, tcpGivesUp, [1, 3, 10, 15]],
    [{ transport: "udp" }, firmwareGivesUp, [1, 4, 15]],
  ] as const) {
    const sent = list.map((retries) => {
      const migration = { silence: "5000 s" };
      const found = foundNs("given up", { faults, link: { ...link, retries }, migration });
      return found - 1e9 * seconds(retries);
    });
    // the first segment leaves at one time; the firmware looks at the next edge of its clock, 667 ps
    const [first] = sent;
    claim("given up: after the start", first! > 30_000 && first! < 300_000, `${first} ns`, "then");
    for (const [i, one] of sent.entries())
      claim(`given up: ${list[i]} retries`, Math.abs(one - first!) < 2, `${one} ns`, `${first} ns`);
  }
}

/** A link that is lost at 300 us: the last frame has left before that, and frames come often. */
export function checkSilence(): void {
  const link = { congestion: "cubic" };
  for (const us of [200, 5000]) {
    const migration = { silence: `${us} us` };
    const faults = [{ at: "300 us", what: "link-down" }];
    const lastHeard = foundNs("silence", { faults, link, migration }) - 1000 * us;
    // one way is 10 us
    const right = lastHeard <= 310_001 && lastHeard > 290_000;
    claim(`silence: ${us} us after the last frame`, right, `${lastHeard} ns`, "until 310 us");
    same(
      "without the fault",
      simulate(inputOf({ ...SILENT, link, migration })).migration.status,
      "completed",
    );
  }
}

/**
 * A record that is spoilt on the link: its tag does not fit, it is never placed, and the source breaks off
 * within a millisecond. A page of the destination that nothing was placed in holds no version.
 */
export function checkCorrupt(content: "full" | "sized"): Result {
  const plain = { guest: generated(600, 0), content };
  const free = simulate(inputOf(plain));
  same("nothing spoilt", free.migration.status, "completed");
  const input = inputOf({ ...plain, faults: [{ at: "300 us", what: "corrupt" }] });
  const result = simulate(input);
  const what = `spoilt, ${content}`;
  unbroken(what, result);
  same(what, result.migration.status, "failed");
  const { core } = input;
  const found = nsOf(core.logged(abi.L_FOUND));
  claim(`${what}: found`, found > 300_000 && found < 1_300_000, `${found} ns`, "within 1 ms");
  // everything is home but for one page, which was sent and not placed
  const versions = core.address("placedVersionsAt") >>> 2;
  const absent = core.u32.subarray(versions, versions + 600).filter((one) => one === 0xffffffff).length;
  const placed = 600 - absent;
  const written = result.check.writtenOff!;
  same(`${what}: nothing is lost on the link`, written.records, 0);
  same(`${what}: all pages announced but one are placed`, placed, 599);
  return result;
}

/** The destination's card is reset: nothing is heard of it from one way later on. */
export function checkReset(): Result {
  const link = { congestion: "cubic" };
  const faults = [{ at: "317 us", what: "reset", side: "destination" }];
  const migration = { silence: "5 ms" };
  const input = inputOf({ ...SILENT, link, faults, migration });
  const result = simulate(input);
  unbroken("reset", result);
  same("reset", result.migration.status, "failed");
  const lastHeard = nsOf(input.core.logged(abi.L_FOUND)) - 5e6;
  claim(
    "reset: the last frame",
    lastHeard <= 327_001 && lastHeard > 307_000,
    `${lastHeard} ns`,
    "until 327 us",
  );
  // the destination's units stand still from then on
  const { elapsedTicks, units } = result;
  for (const [name, { starvedTicks }] of Object.entries(units)) {
    if (!name.startsWith("destination.") || name.includes(".host.memory")) continue;
    const ran = nsOf(BigInt(elapsedTicks) - BigInt(starvedTicks));
    claim(`reset: ${name}`, ran <= 317_000, `${ran} ns`, "at most 317 us");
  }
  same("without the fault", simulate(inputOf({ ...SILENT, link, migration })).migration.status, "completed");
  return result;
}

/** A link that is lost and comes back, every byte sealed and carried. */
export const SEALED_RETRY = {
  guest: generated(600, 100_000),
  link: { transport: "udp" },
  faults: [{ at: "300 us", what: "link-down" }],
};

/**
 * A failure, its repair, another attempt: it begins after the time to wait, from the first round, with the
 * guest that has gone on, and completes; no key is used by two attempts.
 */
export function checkRetry(scenario: object): Result {
  const migration = { silence: "2 ms", retries: 2, retryAfter: "3 ms" };
  const input = inputOf({ ...scenario, migration });
  const result = simulate(input);
  unbroken("another attempt", result);
  same("another attempt", result.migration.status, "completed");
  same("another attempt: pages", result.check.pagesDifferent, 0);
  const attempts = result.migration.attempts!;
  same("another attempt: one has failed", attempts.map(({ status }) => status).join(" "), "failed");
  const [first] = attempts;
  const start = first!.startNs + first!.totalTimeNs + 3e6 + result.migration.setupTimeNs!;
  const round = result.migration.rounds[0]!;
  claim(
    "another attempt: its start",
    Math.abs(round.startNs - start) < 1,
    `${round.startNs} ns`,
    `${start} ns`,
  );
  same("another attempt: all pages", round.normalPages + round.zeroPages, input.stream.pages);
  return result;
}
