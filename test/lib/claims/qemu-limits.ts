// SPDX-License-Identifier: Apache-2.0
/** Dirty rings, dirty-limit and device pre-copy of QEMU's thread beside the slow reference, at random. */
import * as abi from "../../../assembly/abi.ts";
import { Core, coreModule } from "../../../src/core.ts";
import { migrateInSoftware, type SoftwareGuest } from "../../../src/software.ts";
import { generator, seeds } from "../random.ts";
import { ReferenceThread, type Write } from "../reference/qemu.ts";
import type { Rings } from "../reference/qemu-limit.ts";
import { claim, same } from "./expect.ts";
import { agree, busyCase, type Case, guestOf, randomCase } from "./qemu.ts";

const US = 1_024_000_000;
const MS = 1000 * US;
const LIMIT = 20n * 1000n * BigInt(MS);

interface LimitCase extends Case {
  rings: Rings;
}

/** vCPUs that write fast, each second at another rate, while little is sent. */
function limitCase(seed: number): LimitCase {
  const r = generator(seed);
  const upTo = (n: number): number => Math.floor(r() * (n + 1));
  const { m } = busyCase(seed);
  const pages = 4000 + upTo(6000);
  const zeros = Array.from({ length: pages }, () => false);
  const writes: Write[] = [];
  const seconds = 5 + upTo(1);
  for (let second = 0; second < seconds; second++) {
    // fast until it has begun, then at any rate, and sometimes not at all
    const count = second < 3 ? 30_000 : upTo(2) * (5000 + upTo(25_000));
    for (let i = 0; i < count; i++)
      writes.push({
        at: BigInt(second * 1000 * MS + Math.floor(((i + r()) * 1000 * MS) / count)),
        pfn: upTo(pages - 1),
        zero: false,
      });
  }
  // a quota that one vCPU alone is above by a third to a half of its rate
  const near = seed % 3 === 1;
  m.dirtyLimit = {
    rateMib: near ? 60 + upTo(15) : r() < 0.4 ? 1 + upTo(3) : 1 + upTo(120),
    periodTicks: (20 + upTo(380)) * MS,
  };
  m.maxBandwidthBytes = (14 + upTo(20)) * 1_048_576;
  m.ticksPerByte = null;
  const entries = [256, 512, 1024][upTo(2)]!;
  const costs = { exitTicks: upTo(9 * US), entryTicks: upTo(US / 10), protectTicks: upTo(US / 10) };
  const rings = { vcpus: near ? 1 : 1 + upTo(1), entries, ...costs, flushTicks: upTo(9 * US) };
  const own = { autoConverge: false, syncsMax: null, postcopy: null, startAtTicks: 0n };
  return { m: { ...m, ...own }, zeros, writes, pageBytes: 4096, rings };
}

const lean = new Core(coreModule());
const naive = new Core(coreModule("naive"));

/** Sleeps, periods and times are the reference's, and each branch is taken. */
export function checkLimits(count = 12): void {
  let [slept, shorter, begun] = [0, 0, 0];
  for (const seed of seeds(count)) {
    const { m, zeros, writes, rings } = limitCase(seed);
    const what = `dirty-limit: configuration ${seed}`;
    const thread = new ReferenceThread(m, zeros, writes, 4096, rings);
    const want = thread.run(LIMIT)!;
    const core = seed % 3 === 0 ? naive : lean;
    const { vcpus, ...ring } = rings;
    const given: SoftwareGuest = { vcpus, wall: true, tracker: abi.TRACKER_DIRTY_RING, faultTicks: 0, ring };
    const got = migrateInSoftware(core, guestOf(zeros, writes, 500), m, LIMIT, undefined, given);
    same(`${what}: ends`, got.complete, want !== null);
    if (want === null) continue;
    agree(got, thread, m, what);
    const { periods, full, slept: sleeps, vcpus: each } = thread.rings!;
    same(`${what}: periods`, core.counter(0, abi.C_LIMIT_PERIODS), periods);
    same(`${what}: full rings`, core.counter(0, abi.C_LOG_FULL), full);
    same(`${what}: slept`, core.counter(0, abi.C_LIMIT_TICKS), sleeps);
    const longest = Math.max(...each.map(({ sleepUs }) => sleepUs));
    same(`${what}: longest sleep`, got.limitSleepUs, longest);
    if (periods > 0) begun++;
    if (sleeps > 0n) slept++;
    if (sleeps > 0n && longest === 0) shorter++;
  }
  if (process.env.DPUSIM_RUNS !== undefined) return;
  claim("dirty-limit: begins", begun > count / 2, begun, `above ${count / 2}`);
  claim("dirty-limit: sleeps", slept > count / 3, slept, `above ${count / 3}`);
  if (count >= 24) claim("dirty-limit: sleeps no more", shorter > 0, shorter, "above 0");
}

/** Device state ahead of the stop: what goes when, and when the guest may be stopped. */
export function checkAhead(count = 40): void {
  let [held, again, endless] = [0, 0, 0];
  for (const seed of seeds(count)) {
    const r = generator(seed + 1_000_003);
    const upTo = (n: number): number => Math.floor(r() * (n + 1));
    const c = seed % 3 === 0 ? busyCase(seed) : randomCase(seed);
    const { m, zeros, writes, pageBytes } = c;
    m.postcopy = null;
    m.syncsMax = r() < 0.1 ? 2 + upTo(3) : null;
    if (r() < 0.5) m.deviceBytes = 1 + upTo(r() < 0.5 ? 9_000_000 : 90_000);
    m.ahead = {
      bytes: Math.min(m.deviceBytes, 1 + upTo(r() < 0.5 ? m.deviceBytes : 5000)),
      changes: r() < 0.4 ? 0 : upTo(r() < 0.5 ? 3_000_000 : 30_000),
      everyTicks: (1 + upTo(300)) * MS,
      loadTicks: upTo(3 * US),
      ackTicks: upTo(r() < 0.3 ? 900 * MS : MS),
    };
    // so old so soon that it is read again and again, over any connection
    if (seed % 8 === 7) {
      m.deviceBytes = 2_000_000 + upTo(3_000_000);
      m.ahead = { ...m.ahead, bytes: m.deviceBytes, changes: 2_000_000_000, everyTicks: MS, ackTicks: 0 };
      m.downtimeLimitMs = 1 + upTo(9);
      m.syncsMax = 20 + upTo(20);
    }
    if (m.ahead.bytes === 0) m.ahead = null;
    const what = `device ahead: configuration ${seed}`;
    const thread = new ReferenceThread(m, zeros, writes, pageBytes);
    const want = thread.run(LIMIT);
    const core = seed % 5 === 0 ? naive : lean;
    const got = migrateInSoftware(core, guestOf(zeros, writes, 300), m, LIMIT, () => pageBytes);
    const inTime = want !== null && want.endedAt <= m.startAtTicks + LIMIT;
    same(`${what}: ends`, got.complete || got.givenUpTicks !== null, inTime);
    same(`${what}: given up`, got.givenUpTicks, want?.givenUpAt ?? null);
    if (want !== null && want.givenUpAt !== null && want.syncs < m.syncsMax!) endless++;
    if (want === null || !inTime || want.givenUpAt !== null) continue;
    agree(got, thread, m, what);
    const { device } = thread;
    same(`${what}: ahead`, got.aheadBytes, device.sent);
    same(`${what}: acknowledged`, got.ackedTicks, device.ackAt);
    same(`${what}: rest`, got.restBytes, want.rest);
    if (device.ackAt !== null && want.suspendedAt < device.ackAt + BigInt(120 * MS)) held++;
    if (m.ahead !== null && device.sent > m.ahead.bytes) again++;
  }
  if (process.env.DPUSIM_RUNS !== undefined) return;
  claim("device ahead: holds the stop up", held > count / 8, held, `above ${count / 8}`);
  claim("device ahead: is given up between synchronisations", endless > 0, endless, "above 0");
  claim("device ahead: is sent again", again > count / 20, again, `above ${count / 20}`);
}
