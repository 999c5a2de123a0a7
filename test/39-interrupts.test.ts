// SPDX-License-Identifier: Apache-2.0
// MSI-X of a card that are held: how many there are, how late a message is, that none is lost and none passes
// what it tells of. Packets and memory behind them: the reference of the PCIe link, to the tick.
import { test } from "uvu";
import * as assert from "uvu/assert";
import * as abi from "../assembly/abi.ts";
import { isGood, type Result } from "../src/index.ts";
import { generated, migrate, stat } from "./lib/migrate.ts";
import { checkPcie, putsOf } from "./lib/reference/compare.ts";
import { type Run, runText } from "./lib/timeline.ts";

const NS = abi.TICKS_PER_NS;
/** Device state of 4 MiB comes in messages of 60 KiB, about 70 of them. */
const TEXT = `schema: dpusim.scenario/1
guest:
  generate: { memory: 64 KiB, rate: 1 /s, workingSet: 64 KiB, mix: { zero: 0, text: 0, random: 100 } }
  deviceState: 4 MiB
compress: off
encrypt: off
`;
const VSOCK_PORT = 1;
const MESSAGE_MAX = abi.MESSAGE_BYTES_MAX - abi.PAGE_BYTES;

const runOf = (sets: readonly string[]): Run => {
  const run = runText(TEXT, { sets: [...sets] });
  assert.is(run.stop, abi.STOP_DONE, `invariant ${run.core.global("brokenInvariant")}`);
  assert.is(Number(run.core.notHome()), 0);
  return run;
};

/**
 * What the destination's VSOCK has told the host, read off its writes. A message is its bytes, then 8 and 4;
 * an interrupt is 4 more. The host's one message to the card, DONE, is 8 and 4 without bytes.
 */
interface Told {
  /** When the index of each message was put, and each interrupt with the messages before it. */
  indexAt: number[];
  interrupts: { at: number; messages: number }[];
}

function toldBy(run: Run): Told {
  const told: Told = { indexAt: [], interrupts: [] };
  let [payload, used] = [false, "no" as "no" | "told" | "taken"];
  for (const { port, bytes, readyAt } of putsOf(run, 1)) {
    if (port !== VSOCK_PORT) continue;
    if (bytes > 8) payload = true;
    else if (bytes === 8) used = payload ? "told" : "taken";
    else if (used === "no") told.interrupts.push({ at: readyAt, messages: told.indexAt.length });
    else {
      if (used === "told") told.indexAt.push(readyAt);
      [payload, used] = [false, "no"];
    }
  }
  return told;
}

for (const [everyUs, after] of [
  [20, 32],
  [100, 32],
  [100, 3],
  [1000, 7],
  [1000, 32],
] as const) {
  test(`formula: T / every + M / after + 1 interrupts, none late: ${everyUs} us, ${after}`, () => {
    const every = everyUs * 1000 * NS;
    const run = runOf([`internal.interrupts={ every: ${everyUs} us, after: ${after} }`]);
    const { indexAt, interrupts } = toldBy(run);
    const messages = indexAt.length;
    // device state and RESUME; all have been told of at the end
    assert.is(messages, Math.ceil((4 * 2 ** 20) / MESSAGE_MAX) + 1);
    assert.is(interrupts.at(-1)!.messages, messages);
    assert.is(run.core.counter(1, abi.C_VSOCK_TO_HOST), messages);
    assert.is(run.core.counter(1, abi.C_INTERRUPTS_SAVED), messages - interrupts.length);
    const time = interrupts.at(-1)!.at - interrupts[0]!.at;
    const most = Math.floor(time / every) + Math.floor(messages / after) + 1;
    assert.ok(interrupts.length <= most, `${interrupts.length} of ${messages}, at most ${most}`);
    // each at its clock edge: the one after the index that makes it due, or the first one `every` later
    const [num, den] = [run.params.sides[1][abi.S_CARD_NUM]!, run.params.sides[1][abi.S_CARD_DEN]!];
    const edge = (t: number): number => Math.ceil((Math.ceil((t * den) / num) * num) / den);
    // it may wait for a place in the port, which a packet of MPS and 24 B leaves, with DLLPs and an SKP
    const perByte = run.params.sides[1][abi.S_PCIE_TICKS_PER_BYTE]!;
    const packet = (256 + 24 + 3 * 8 + 16 * 8) * perByte + (2 * num) / den;
    let [done, last] = [0, Number.NEGATIVE_INFINITY];
    for (const { at, messages: told } of interrupts) {
      assert.ok(told > done, "an interrupt without a message");
      const full = indexAt[done + after - 1] ?? Infinity;
      const first = indexAt[done]!;
      const due = Math.min(full, Math.max(first, edge(last + every)));
      assert.ok(at >= due && at <= due + packet, `at ${at}, due ${due}, a packet ${packet}`);
      assert.ok(at - first <= every + packet);
      [done, last] = [told, at];
    }
    for (const side of [0, 1]) checkPcie(run, side);
  });
}

// Writes keep their order, and the front-end is told by an interrupt that has landed.
test("an interrupt is on the wire behind every byte that it tells of", () => {
  const run = runOf(["internal.interrupts={ every: 200 us }", "destination.host.pcie.phCredits=1"]);
  const { interrupts } = toldBy(run);
  const wire = run.events.filter((e) => e.side === 1 && e.kind === abi.T_TLP && e.which === VSOCK_PORT);
  const puts = putsOf(run, 1).filter(({ port }) => port === VSOCK_PORT);
  assert.is(wire.length, puts.length);
  assert.equal(
    wire.map((e) => e.b),
    puts.map(({ bytes }) => bytes),
  );
  assert.ok(interrupts.length > 2);
});

const PLAIN = { guest: { ...generated(200, 0), deviceState: "1 MiB" }, compress: "off", encrypt: "off" };

function good(interrupts: object | "each", more: object = {}, variant: "lean" | "naive" = "lean"): Result {
  const scenario = { ...PLAIN, content: "sized", internal: { interrupts }, ...more };
  const result = migrate(scenario, { variant });
  assert.ok(isGood(result), JSON.stringify(result.check));
  return result;
}

test("one at a time, or an interval that is over before the next message, is as before", () => {
  const each = good("each");
  assert.is(stat(each, "destination.vsock.interruptsSaved"), 0);
  assert.is(good({ every: "1 ms", after: 1 }).fingerprint, each.fingerprint);
  assert.is(good({ every: "1 ns", after: 32 }).fingerprint, each.fingerprint);
});

test("a migration is late by one interval for each message that another waits for", () => {
  const [each, held] = [good("each"), good({ every: "100 us", after: 32 })];
  assert.ok(stat(held, "destination.vsock.interruptsSaved") > 5);
  const late = held.migration.totalTimeNs - each.migration.totalTimeNs;
  // READY, ROUND DONE of two rounds and DONE at the source; device state and RESUME at the destination
  assert.ok(late >= 0 && late <= 6 * 100_100, `${late}`);
});

test("the scheduler that steps everything agrees", () => {
  const link = { transport: "udp" };
  const guest = { ...generated(40, 0), deviceState: "300 KiB" };
  for (const interrupts of [
    { every: "40 us", after: 32 },
    { every: "300 us", after: 2 },
  ]) {
    const lean = good(interrupts, { link, guest });
    assert.ok(stat(lean, "destination.vsock.interruptsSaved") > 0);
    assert.is(good(interrupts, { link, guest }, "naive").fingerprint, lean.fingerprint);
  }
});

test.run();
