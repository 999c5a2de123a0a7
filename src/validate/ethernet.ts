// SPDX-License-Identifier: Apache-2.0
/** Ethernet framing of TCP: payload and bytes on the wire of a full frame, and what bounds TCP. */
import { TICKS_PER_NS } from "../../assembly/abi.ts";
import { Core, coreModule } from "../core.ts";
import { frameBytes, segmentBytes } from "../params.ts";
import { linkProbe, probeLink } from "../probe/link.ts";
import { type FramingKeys, fillFraming } from "../scenario/fill.ts";
import type { ResolvedScenario } from "../scenario/types.ts";
import { published, publishedOrigin } from "./published.ts";
import { roce } from "./roce.ts";
import { type Point, point, type Suite } from "./types.ts";

const SUITE = "ethernet";
const ETHERNET = { preambleBytes: 8, gapBytes: 12, fcsBytes: 4, headerBytes: 14, minFrameBytes: 64 };
const TICKS_PER_MS = TICKS_PER_NS * 1_000_000;

/** Payload and wire bytes of a full frame, with each way to enclose it. */
function* framing(): Generator<Point> {
  const rows = published("ethernet");
  const origin = publishedOrigin("ethernet");
  for (const [i, row] of rows.entries()) {
    const keys = { ...row, vlan: Number(row.vlan), tls: "off" } as unknown as FramingKeys;
    const link = {
      ...ETHERNET,
      mtuBytes: Number(row.mtu),
      ...fillFraming(ETHERNET, keys),
    } as ResolvedScenario["link"];
    const payload = segmentBytes(link);
    const kinds = ["vlan", "ip", "vxlan", "macsec", "esp"].map((key) => `${key} ${row[key]}`);
    const what = [`MTU ${row.mtu}`, ...kinds].join(", ");
    const base = { suite: SUITE, unit: "B", tolerance: { kind: "exact" }, source: origin } as const;
    const expected = [Number(row.payload_B), Number(row.wire_B)] as const;
    yield point({
      ...base,
      id: `payload-${i + 1}`,
      quantity: `payload, ${what}`,
      expected: expected[0],
      simulated: payload,
    });
    const simulated = frameBytes(link, payload);
    yield point({
      ...base,
      id: `wire-${i + 1}`,
      quantity: `on the wire, ${what}`,
      expected: expected[1],
      simulated,
    });
  }
}

/** A saturated link and one that a window limits, run on the core. */
function* runs(): Generator<Point> {
  const core = new Core(coreModule());
  const base = { suite: SUITE, source: "derived" } as const;
  for (const [mtuBytes, expected] of [
    [1500, 94.1482],
    [9000, 99.0042],
  ] as const) {
    const probe = linkProbe({
      ticksPerByte: null,
      portTicksPerByte: [81_920, 1],
      rttTicks: TICKS_PER_MS / 10,
      mtuBytes,
      bufferBytes: 0,
      omitTicks: BigInt(10 * TICKS_PER_MS),
      durationTicks: BigInt(10 * TICKS_PER_MS),
    });
    yield point({
      ...base,
      id: `C1-${mtuBytes}`,
      quantity: `TCP goodput at 100 Gb/s, MTU ${mtuBytes}`,
      expected,
      simulated: probeLink(core, probe).goodputBitsPerSecond / 1e9,
      unit: "Gb/s",
      tolerance: { kind: "percent", value: 0.05 },
    });
  }
}

export const suite: Suite = {
  name: SUITE,
  title: "Ethernet framing of TCP",
  limits: [
    "Of RoCE the packets are simulated, and a cap on what is in flight; not its acknowledgements and losses.",
    "TLS records are bytes of the data link, not of a frame.",
  ],
  *points() {
    yield* framing();
    yield* runs();
    yield* roce();
  },
};
