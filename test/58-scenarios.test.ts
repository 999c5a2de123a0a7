// SPDX-License-Identifier: Apache-2.0
// The scenarios of sampled contents and of UDP, each with what it must show and its control.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { isGood, type Result } from "../src/index.ts";
import { stat } from "./lib/migrate.ts";
import { runShipped } from "./lib/shipped.ts";

const contents = (content: string, sets: readonly string[] = []): Result =>
  runShipped("sampled", [`content=${content}`, "sampleEvery=64", ...sets]);

test("sampled: every time is that of a run that carries all bytes, and of one that carries none", () => {
  const sampled = runShipped("sampled");
  assert.ok(isGood(sampled));
  assert.is(sampled.check.contentCapturedPercent, 100);
  for (const other of [contents("full"), contents("sized")]) {
    assert.ok(isGood(other));
    assert.equal(other.migration, sampled.migration);
    assert.equal(other.units, sampled.units);
    assert.equal(other.link, sampled.link);
  }
  // what carries nothing has the size of its contents, which the 16 copies of the trace share
  const [hits, misses] = ["memoHits", "memoMisses"].map((name) =>
    stat(sampled, `source.card.compressor.${name}`),
  );
  assert.ok(misses! > 0 && hits! > 10 * misses!, `${hits} hits, ${misses} misses`);
  assert.is(stat(contents("full"), "source.card.compressor.memoHits"), 0);
});

test("negative control: sizes are those of the bytes, so that another encoder gives other times", () => {
  const other = runShipped("sampled", ["compress.pws=8", "compress.hashLog=8"]);
  assert.ok(isGood(other));
  const sampled = runShipped("sampled");
  assert.is.not(other.migration.ram.transferred, sampled.migration.ram.transferred);
  const full = contents("full", ["compress.pws=8", "compress.hashLog=8"]);
  assert.is(full.migration.ram.transferred, other.migration.ram.transferred);
});

const TCP = "transport: tcp, congestion: cubic";
const link = (transport: string, loss: number): Result =>
  runShipped("udp", [`link={ preset: ethernet-25g, rtt: 200 us, mtu: 9000, ${transport}, loss: ${loss} }`]);

test("udp: loss costs the datagrams that are sent again, where TCP backs off", () => {
  const lossy = runShipped("udp");
  const clean = link("transport: udp", 0);
  const [backsOff, control] = [link(TCP, 0.01), link(TCP, 0)];
  for (const result of [lossy, clean, backsOff, control]) assert.ok(isGood(result));
  const time = ({ migration }: Result): number => migration.totalTimeNs;
  // without loss the transports take the same, but for TCP's slow start of some round trips of 200 us
  assert.ok(time(clean) < time(control) && time(control) < time(clean) + 5 * 200_000);
  // 1 % more datagrams, and a round trip or two where the last of a round is lost
  assert.ok(time(lossy) < 1.1 * time(clean), `${time(lossy)} ns, ${time(clean)} without loss`);
  assert.ok(time(backsOff) > 3 * time(control), `${time(backsOff)} ns, ${time(control)} without loss`);
});

test("formula: a datagram is 82 bytes and its payload, and what is lost goes once more", () => {
  const payloadOf = (result: Result): number =>
    stat(result, "source.link.payloadBytes.state") + stat(result, "source.link.payloadBytes.pages");
  // preamble and gap 20, header and FCS 18, IP 20, UDP 8, 16 of the firmware; an acknowledgement alone fills
  // a frame of 64 bytes and 20 around
  const overhead = (result: Result): number => {
    const acks = stat(result, "source.link.acks");
    return 82 * (stat(result, "source.link.frames") - acks) + 84 * acks;
  };
  const clean = link("transport: udp", 0);
  assert.is(stat(clean, "source.link.wireBytes"), payloadOf(clean) + overhead(clean));
  const lossy = runShipped("udp");
  const again = stat(lossy, "source.link.wireBytes") - payloadOf(lossy) - overhead(lossy);
  // 1 % of the frames, of 8956 bytes at most; five standard deviations of their number
  const frames = stat(lossy, "source.link.frames");
  const most = 8956 * (0.01 * frames + 5 * Math.sqrt(0.01 * frames));
  assert.ok(again > 0 && again < most, `${again} B again, at most ${most}`);
});

test.run();
