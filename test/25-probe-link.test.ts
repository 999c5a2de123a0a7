// SPDX-License-Identifier: Apache-2.0
// `dpusim probe link`: what is in the JSON, what is refused, how far it is.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type LinkTexts, probeLinkCommand, probeOf, progressOf } from "../src/cli/probe-link.ts";
import { Core, coreModule } from "../src/core.ts";
import { linkSteps, probeLink } from "../src/probe/link.ts";
import { dpusim, projectRoot } from "./lib/cli.ts";

/** What the command line gives without options. */
const PLAIN: LinkTexts = {
  ...{ rate: "100 Gbit/s", mtu: "9000", rtt: "20 us", loss: "0", lossBack: "0", jitter: "0 s" },
  ...{ transport: "tcp", streams: "1" },
  ...{ vlan: "0", ip: "v4", macsec: "off", tls: "off", omit: "0 s", seed: "1", core: "lean" },
};

const version = JSON.parse(readFileSync(join(projectRoot, "package.json"), "utf8")).version;

interface Answer {
  readonly asked: Readonly<Record<string, string | number | boolean | null>>;
  readonly acknowledged: readonly (readonly [number, number])[];
  readonly curve: { readonly ns: readonly number[]; readonly bytes: readonly number[] } | null;
  readonly [name: string]: unknown;
}

const textOf = async (options: Partial<LinkTexts>): Promise<string> =>
  probeLinkCommand({ ...PLAIN, ...options }, version);

const answer = async (options: Partial<LinkTexts>): Promise<Answer> =>
  JSON.parse(await textOf({ ...options, json: true }));

const UNITS = { BitsPerSecond: " bit/s", Bytes: " B", Ns: " ns", Share: "" } as const;

/** Options of the command line that give what an answer says was asked. */
function optionsOf({ asked }: Answer): string[] {
  return Object.entries(asked).flatMap(([name, value]) => {
    const [, bare, unit] = /^(.*?)(BitsPerSecond|Bytes|Ns|Share|)$/.exec(name)!;
    const option = `--${bare!.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)}`;
    if (value === null || value === false) return [];
    return value === true ? [option] : [option, `${value}${UNITS[unit as keyof typeof UNITS] ?? ""}`];
  });
}

test("--json: what was asked gives the same answer again, options left out or not", async () => {
  const little = { duration: "1 ms" };
  const tcp: Partial<LinkTexts> = {
    ...{ rate: "10 Gbit/s", mtu: "1500", rtt: "100 us", loss: "0.002", lossBack: "0.001", jitter: "2 us" },
    ...{ congestion: "reno", streams: "3", window: "1 MiB", inFlight: "256 KiB", buffer: "200 kB" },
    ...{ port: "40 Gbit/s", vlan: "2", ip: "v6", vxlan: true, macsec: "short", esp: true, omit: "1 ms" },
    ...{ bytes: "3 MiB", seed: "9" },
  };
  const udp = { transport: "udp", pause: true, hop: "2 us", duration: "1.5 ms" } as const;
  for (const options of [little, tcp, udp]) {
    const first = await answer(options);
    assert.is(first.version, version);
    const { code, stdout, stderr } = await dpusim(["probe", "link", "--json", ...optionsOf(first)]);
    assert.equal([code, stderr], [0, ""]);
    assert.equal(JSON.parse(stdout), first);
  }
});

test("--json: every option has its value, with the unit in the name", async () => {
  const { asked } = await answer({ duration: "1 ms" });
  assert.equal(asked, {
    ...{ rateBitsPerSecond: 1e11, portBitsPerSecond: null, mtuBytes: 9000, rttNs: 20_000, lossShare: 0 },
    ...{ lossBackShare: 0, jitterNs: 0, transport: "tcp", congestion: "cubic", streams: 1 },
    ...{ windowBytes: null, inFlightBytes: null, bufferBytes: null, pause: false, hopNs: null },
    ...{ vlan: 0, ip: "v4", vxlan: false, macsec: "off", esp: false, tls: "off", bytes: null },
    ...{ durationNs: 1_000_000, omitNs: 0, seed: 1 },
  });
});

test("--curve: all points as named lists; without it 33 of them, the first and the last too", async () => {
  const options = { duration: "10 ms", json: true };
  const text = await textOf({ ...options, curve: true });
  // a point each sixteenth of 20 us, and the first one, and two lines
  const { curve, acknowledged } = JSON.parse(text) as Answer;
  assert.is.not(curve, null);
  assert.ok(curve!.ns.length > 4000 && curve!.ns.length === curve!.bytes.length);
  assert.ok(text.split("\n").length < 120, `${text.split("\n").length} lines`);
  const few = await answer(options);
  assert.is(few.curve, null);
  assert.equal(few.acknowledged, acknowledged);
  assert.equal(few.acknowledgedColumns, ["ns", "bytes"]);
  assert.ok(acknowledged.length > 16 && acknowledged.length <= 34, `${acknowledged.length} points`);
  assert.equal(
    [acknowledged[0], acknowledged.at(-1)],
    [
      [0, 0],
      [curve!.ns.at(-1), curve!.bytes.at(-1)],
    ],
  );
  for (const [ns, bytes] of acknowledged) assert.is(curve!.bytes[curve!.ns.indexOf(ns)], bytes);
});

test("--port: a port slower than the path is the bottleneck, with TCP and UDP", async () => {
  // 8948 B of payload in 9038 B on the wire; 4 B more with UDP's 8 B of header and no timestamps
  const bytes = "8948000";
  for (const [transport, share] of [
    ["tcp", 8948 / 9038],
    ["udp", 8972 / 9038],
  ] as const) {
    const { goodputBitsPerSecond } = await answer({ transport, bytes, port: "1 Gbit/s", rtt: "2 us" });
    const rate = Number(goodputBitsPerSecond) / 1e9;
    assert.ok(rate < share && rate > 0.99 * share, `${transport}: ${rate} of ${share}`);
  }
});

test("a long transfer tells how far it is, and steps change nothing", async () => {
  // 1 GiB at 100 Gbit/s: 86 ms; with 9000 s at most a point is 2.2 s, a step 2^28 B x 80 ps = 21.5 ms
  const bytes = 2 ** 30;
  const probe = probeOf({ ...PLAIN, bytes: String(bytes) });
  const core = new Core(coreModule());
  const steps = linkSteps(core, probe);
  const told: string[] = [];
  let step = steps.next();
  for (; !step.done; step = steps.next()) told.push(progressOf(probe, step.value, 5000));
  assert.is(told.length, Math.floor(step.value.elapsedNs / 21_474_836.48) + 1);
  const [, percent, simulated, acknowledged, left] =
    /^(\d+) %, ([\d.]+) ms simulated, ([\d,]+) B acknowledged, about (\d+) s left$/.exec(told[1]!)!;
  const share = Number(acknowledged!.replaceAll(",", "")) / bytes;
  assert.ok(share > 0.45 && share < 0.5);
  assert.equal([percent, simulated], [String(Math.floor(100 * share)), "42.9"]);
  assert.is(Number(left), Math.ceil(5 / share - 5));
  // 1 s at most: a point each quarter of a ms
  const often = probeLink(core, { ...probe, durationTicks: 1_024_000_000_000_000n });
  for (const name of ["elapsedNs", "wireBytes", "frames", "retransmits", "goodputBitsPerSecond"] as const)
    assert.is(often[name], step.value[name], name);
  assert.ok(often.acknowledged.length > 300);
});

test("a long transfer can be interrupted", async () => {
  const { code, stdout, stderr } = await dpusim(["probe", "link", "--bytes", "1 TiB"], {
    interruptAfterMs: 6000,
  });
  assert.equal([code, stdout], [130, ""]);
  assert.match(stderr, /dpusim: interrupted\n$/);
});

/** The line by which options are refused. */
async function refusal(options: Partial<LinkTexts>): Promise<string> {
  try {
    await textOf(options);
  } catch (error) {
    const { name, message } = error as Error;
    if (name !== "InputError") throw error;
    return message;
  }
  return `${JSON.stringify(options)} is taken`;
}

const REFUSALS: readonly [options: Partial<LinkTexts>, line: string | RegExp][] = [
  [{ transport: "udp", congestion: "reno" }, "--congestion: is of TCP; remove it, or --transport udp"],
  [
    { transport: "udp", buffer: "1 MiB" },
    "--buffer: has no effect with --transport udp, but with --pause too; remove it",
  ],
  [
    { transport: "udp", port: "400 Gbit/s" },
    /^--port: has no effect with --transport udp, but with --pause /,
  ],
  [
    { port: "100 Gbit/s", buffer: "1 MiB" },
    "--buffer: has no effect where the port is no faster than the path; remove it",
  ],
  [{ duration: "0" }, "--duration: 0 leaves nothing to measure; write e.g. 10 ms"],
  [{ bytes: "1 MiB", omit: "1 s" }, /^--omit: the transfer had ended after 0\.\d+ ms; write less$/],
  [{ loss: "-0.1" }, "--loss: -0.1 is no share of frames; write 0 to 0.999, such as 0.001"],
  [{ lossBack: "1" }, "--loss-back: 1 is no share of frames; write 0 to 0.999, such as 0.001"],
  [{ loss: "1 %" }, "--loss: 1 % is no share of frames; write 0 to 0.999, such as 0.001"],
  [{ curve: true }, "--curve: has no effect without --json; add it"],
];

for (const [options, line] of REFUSALS) {
  test(`refused in a line that names the option: ${JSON.stringify(options)}`, async () => {
    const told = await refusal(options);
    assert.ok(typeof line === "string" ? told === line : line.test(told), told);
  });
}

test.run();
