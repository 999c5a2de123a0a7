// SPDX-License-Identifier: Apache-2.0
// Series over time: bytes are in the windows in which they are on the wire.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { runShipped } from "./lib/shipped.ts";

// payload and wire bytes of a full frame: MTU, 40 bytes of headers and 12 of timestamps, 38 around a packet
const SHARE: Readonly<Record<number, number>> = { 1500: 1448 / 1538, 9000: 8948 / 9038 };

for (const name of ["hybrid", "tiny", "reuther", "delta", "cancel", "tarasuk-levin"]) {
  test(`no window of ${name} has more payload than the link carries in it`, () => {
    const { series, link, scenario } = runShipped(name);
    const [num, den] = scenario.link.ticksPerByte;
    const bytesPerNs = (1_024_000 * den) / num;
    const most = series.windowNs * bytesPerNs * SHARE[scenario.link.mtuBytes]!;
    const bytes = series.goodput!.map((rate) => (rate * series.windowNs) / 8e9);
    // a frame that began before the window, or goes on behind it, is a byte too many or too few
    for (const [i, n] of bytes.entries()) assert.ok(n <= most + 3, `window ${i}: ${n} B of ${most}`);
    assert.ok(Math.max(...bytes) > 0.8 * most, "and the link is full in one");
    const all = bytes.reduce((sum, n) => sum + n, 0);
    assert.ok(Math.abs(all - link.payloadBytes) < bytes.length, `${all} B, ${link.payloadBytes} in all`);
  });
}

test.run();
