// SPDX-License-Identifier: Apache-2.0
// What goes on around a migration, by the sums that docs/model.md gives for it.
import { isGood, type Result } from "../../../src/index.ts";
import { generated, migrate, stat } from "../migrate.ts";
import { claim, same } from "./expect.ts";

/** A silent guest, nothing coded: the same packets whatever happens to them. */
const PLAIN = { guest: generated(1000, 0), compress: "off", encrypt: "off", content: "sized" };

function good(what: string, scenario: object): Result {
  const result = migrate({ ...PLAIN, ...scenario });
  claim(what, isGood(result), JSON.stringify(result.check.invariants.filter(({ held }) => !held)), "good");
  return result;
}

/** Packets that arrive spoilt: about as many as their bits and the rate say, each sent again. */
export function checkSpoilt(): void {
  const rate = 4e-6;
  const result = good("spoilt packets", { internal: { bitErrorRate: rate } });
  const expected = 8 * rate * stat(result, "source.pcie.down.tlpBytes");
  const replays = stat(result, "source.pcie.down.replays");
  // a count of Poisson: six deviations
  const near = Math.abs(replays - expected) < 6 * Math.sqrt(expected);
  claim("spoilt packets: as many as bits x rate", near, replays, `about ${Math.round(expected)}`);
}

/** An end-to-end CRC: four bytes a packet. */
export function checkEcrc(): void {
  const plain = good("without ECRC", {});
  const longer = good("ECRC", { internal: { ecrc: "on" } });
  for (const way of ["source.pcie.up", "source.pcie.down"]) {
    const [tlps, bytes] = [`${way}.tlps`, `${way}.tlpBytes`];
    same(`ECRC: packets of ${way}`, stat(longer, tlps), stat(plain, tlps));
    same(`ECRC: bytes of ${way}`, stat(longer, bytes) - stat(plain, bytes), 4 * stat(plain, tlps));
  }
}

/**
 * Relaxed ordering: pages land when their own walks are over, not later than in order; what is said behind
 * them still arrives behind them, also when walks take far longer than anything else. Of an IOTLB of so many
 * entries the rings' page stays, so that control needs no walk, and half of the last round's pages do not.
 */
export function checkRelaxed(): void {
  const iommu = ["walk=100 us", "walkers=32", "serialWalks=no", "entries=512", "ways=4"];
  const frontend = ["resume=1 us", "interrupt=1 ns", "deviceStatePerKiB=0 s"];
  const sets = [
    ...iommu.map((set) => `destination.host.iommu.${set}`),
    ...frontend.map((set) => `destination.host.frontend.${set}`),
    ...["phCredits=0", "pdCredits=0"].map((set) => `destination.host.pcie.${set}`),
    "link.rtt=1 us",
  ];
  const guest = { ...generated(1000, 400_000), deviceState: "4 KiB" };
  const run = (relaxedOrdering: "on" | "off"): Result => {
    const internal = { iommu: "4KiB", relaxedOrdering };
    const result = migrate({ ...PLAIN, guest, migration: { downtimeLimit: "1 s" }, internal }, { sets });
    const broken = JSON.stringify(result.check.invariants.filter(({ held }) => !held));
    claim(`relaxed ordering ${relaxedOrdering}: all pages at the resume`, isGood(result), broken, "good");
    return result;
  };
  const sooner = run("off").migration.totalTimeNs - run("on").migration.totalTimeNs;
  claim("relaxed ordering: the guest resumes sooner", sooner > 0, `${sooner} ns`, "more than 0");
}

/** A PCIe link that is down for 2 ms holds everything up for 2 ms, less what stood still anyway. */
export function checkPcieDown(): void {
  const faults = [{ at: "300 us", what: "pcie-down", for: "2 ms", side: "source" }];
  const lateNs = good("down", { faults }).migration.totalTimeNs - good("up", {}).migration.totalTimeNs;
  claim("PCIe down: late by its time", Math.abs(lateNs - 2e6) < 20_000, `${lateNs} ns`, "2 ms");
}

/** A link that is down for 20 ms: the firmware repairs it within its own timeouts, 100 ms at most. */
export function checkLinkDown(): void {
  const faults = [{ at: "200 us", what: "link-down", for: "20 ms" }];
  const result = good("link down", { faults, link: { transport: "udp" } });
  const { totalTimeNs } = result.migration;
  claim("link down: ends after it", totalTimeNs > 20.2e6 && totalTimeNs < 130e6, `${totalTimeNs} ns`, "then");
}

/** Other I/O: an operation every 10 us, whose bytes are counted. */
export function checkOtherIo(): void {
  const tenant = { op: "write", size: "64 B", workers: 4, every: "10 us" };
  const result = good("other I/O", { tenant });
  const expected = Number(BigInt(result.elapsedTicks) / 10_240_000_000n);
  const operations = stat(result, "source.card.tenant.operations");
  claim("other I/O: as often as asked", Math.abs(operations - expected) <= 2, operations, `${expected}`);
  same("other I/O: bytes", stat(result, "source.card.tenant.bytes"), 64 * operations);
}

/** Completion records: of 1000 pages in one round, one for every 3 written; of reads, those of each batch. */
export function checkCompletions(): void {
  const card = { preset: "dpu-ref", dma: { completionEvery: 3, descriptorBatch: 32 } };
  const result = good("completion records", { source: { card }, destination: { card } });
  same("completion records: of writes", stat(result, "destination.card.dma.completions"), 334);
  const [read, batches] = ["completions", "descriptors.fetches"].map((n) =>
    stat(result, `source.card.dma.${n}`),
  );
  // ceil(n / 3) of each batch: at most two thirds of a record more than a third of its pages
  const most = 1000 / 3 + (2 / 3) * batches!;
  claim("completion records: of reads", read! >= 334 && read! <= most, read, `334 to ${Math.floor(most)}`);
}

/** Interrupts that are held for 1 ms or 4 messages: a quarter as many, and one for each ms. */
export function checkInterrupts(): void {
  const guest = { ...generated(64, 0), deviceState: "1 MiB" };
  const result = good("held interrupts", { guest, internal: { interrupts: { every: "1 ms", after: 4 } } });
  const told = stat(result, "destination.vsock.toHost");
  // 1 MiB in pieces of 60 KiB, and RESUME
  same("held interrupts: messages", told, Math.ceil(2 ** 20 / 61440) + 1);
  const interrupts = told - stat(result, "destination.vsock.interruptsSaved");
  const most = Math.floor(told / 4) + Math.floor(result.migration.totalTimeNs / 1e6) + 1;
  claim("held interrupts: as few as that", interrupts <= most, interrupts, `at most ${most}`);
}
