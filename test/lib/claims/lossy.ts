// SPDX-License-Identifier: Apache-2.0
/** Transfers over a path that loses: when the last byte is acknowledged, and how many frames that took. */
import * as abi from "../../../assembly/abi.ts";
import { Core, coreModule } from "../../../src/core.ts";
import { type LinkProbe, linkProbe, probeLink } from "../../../src/probe/link.ts";
import { LossyLink } from "../reference/tcp-lossy.ts";
import { paramsOf } from "../timeline.ts";
import { claim, same } from "./expect.ts";

const MS = 1_024_000_000_000;
const PATH = {
  ticksPerByte: [81_920_000, 1],
  rttTicks: 2 * MS,
  mtuBytes: 1500,
  bufferBytes: 60_000,
} as const;

/** Each brings something out that another does not. */
const TRANSFERS: readonly Partial<LinkProbe>[] = [
  { congestion: "reno", bytes: 600_000 },
  { congestion: "cubic", bytes: 3_000_000 },
  { congestion: "cubic", bytes: 2_000_000, loss: 0.002, bufferBytes: 400_000 },
  { congestion: "cubic", bytes: 1_000_000, loss: 0.01 },
  { congestion: "reno", bytes: 400_000, loss: 0.05, lossBack: 0.2 },
  { congestion: "reno", bytes: 100_000, loss: 0.3 },
  { congestion: "reno", bytes: 500_000, jitterTicks: MS / 2 },
  { congestion: "cubic", bytes: 500_000, windowBytes: 40_000 },
  { congestion: "cubic", bytes: 500_000, windowBytes: 300_000, inFlightBytes: 30_000 },
  { congestion: "cubic", bytes: 3_000_000, mtuBytes: 9000, rttTicks: 20 * MS, bufferBytes: 900_000 },
  {
    congestion: "reno",
    bytes: 1_000_000,
    bufferBytes: 30_000,
    pause: { highBytes: 12_000, lowBytes: 0, hopTicks: MS / 1000, quanta: 1000 },
  },
  { congestion: "cubic", bytes: 4_000_000, rttTicks: 40 * MS, bufferBytes: 2_000_000 },
];

/** Throws at the first transfer that ends at another time than the reference's. */
export function checkTransfers(): void {
  const core = new Core(coreModule());
  for (const [i, own] of TRANSFERS.entries()) {
    const name = `transfer ${i + 1}`;
    const durationTicks = BigInt(8000 * MS);
    const probe = linkProbe({ ...PATH, ticksPerByte: [81_920_000, 1], durationTicks, ...own });
    const result = probeLink(core, probe);
    same(`${name}: complete`, result.complete, true);
    const endAt = Math.round(result.elapsedNs * abi.TICKS_PER_NS);
    const frames = new LossyLink(paramsOf(core).global).run(endAt + 100 * MS);
    const last = frames.find(({ side, acknowledged, arriveAt }) => {
      return side === 1 && arriveAt !== null && acknowledged === own.bytes;
    });
    same(`${name}: end in ticks`, endAt, last?.arriveAt);
    const sent = frames.filter(({ side, startAt }) => side === 0 && startAt < endAt);
    if (probe.pause !== null) claim(`${name}: the port stands still`, result.pausedNs > 0, 0, "a while");
    same(`${name}: frames`, result.frames, sent.length);
    same(
      `${name}: lost or dropped`,
      result.lostFrames + result.droppedFrames,
      sent.filter((f) => f.arriveAt === null).length,
    );
  }
}
