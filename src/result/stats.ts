// SPDX-License-Identifier: Apache-2.0
/** The statistics of a run: one table of names, units and meanings, for `dpusim stats` and for results. */
import * as abi from "../../assembly/abi.ts";
import { ACCOUNTS, SIDES } from "./accounts.ts";
import { STORE } from "./ahead.ts";
import { type Histogram, nsOf, type Reading } from "./reading.ts";
import { BOTH, DECRYPTION, DESTINATION, row, SOURCE, type Spec } from "./stat-rows.ts";
import { CODING } from "./stats-coding.ts";
import { HOSTS } from "./stats-hosts.ts";
import { SCAN_COUNTERS } from "./stats-scan.ts";
import { SOFTWARE_COUNTERS } from "./stats-software.ts";

const STORAGE_COUNTERS: readonly Spec[] = [
  row("storage.requests", abi.C_STORAGE_REQUESTS, "requests", BOTH, "storage requests answered"),
  row("storage.bytes", abi.C_STORAGE_BYTES, "B", BOTH, "data of those requests"),
  row("storage.throughPf", abi.C_STORAGE_PF, "requests", SOURCE, "those by way of the physical function"),
  row("storage.waited", abi.C_STORAGE_WAITED, "requests", BOTH, "requests made while nobody took them"),
  row("storage.stateBytes", abi.C_STORAGE_STATE, "B", SOURCE, "state of the adapter handed over"),
  row(
    "storage.drainNs",
    abi.C_STORAGE_DRAIN,
    "ns",
    SOURCE,
    "from the last request taken to the last answered",
  ),
  row("storage.stallNs", abi.C_STORAGE_STALL, "ns", BOTH, "time in which nobody took requests"),
  row("storage.carried", abi.C_STORAGE_MOVED, "requests", BOTH, "requests in the state sent, or begun again"),
  row(
    "storage.hostNs",
    abi.C_STORAGE_HOST,
    "ns",
    SOURCE,
    "the intermediary's core for requests through the PF",
  ),
];

const COUNTERS: readonly Spec[] = [
  row("pcie.up.tlps", abi.C_UP_TLPS, "TLPs", BOTH, "packets from card to host"),
  row("pcie.up.tlpBytes", abi.C_UP_TLP_BYTES, "B", BOTH, "bytes of those packets on the wire"),
  row("pcie.up.dataBytes", abi.C_UP_DATA_BYTES, "B", BOTH, "payload of those packets"),
  row("pcie.up.dllpBytes", abi.C_UP_DLLP_BYTES, "B", BOTH, "ACK and UpdateFC from card to host"),
  row("pcie.up.skpSets", abi.C_UP_SKP, "sets", BOTH, "SKP ordered sets that held up a packet"),
  row("pcie.down.tlps", abi.C_DOWN_TLPS, "TLPs", BOTH, "packets from host to card"),
  row("pcie.down.tlpBytes", abi.C_DOWN_TLP_BYTES, "B", BOTH, "bytes of those packets on the wire"),
  row("pcie.down.dataBytes", abi.C_DOWN_DATA_BYTES, "B", BOTH, "payload of those packets"),
  row("pcie.down.dllpBytes", abi.C_DOWN_DLLP_BYTES, "B", BOTH, "ACK and UpdateFC from host to card"),
  row("pcie.down.skpSets", abi.C_DOWN_SKP, "sets", BOTH, "SKP ordered sets that held up a packet"),
  row("pcie.up.replays", abi.C_UP_REPLAYS, "TLPs", BOTH, "packets from card to host that arrived spoilt"),
  row("pcie.down.replays", abi.C_DOWN_REPLAYS, "TLPs", BOTH, "packets from host to card that arrived spoilt"),
  row("host.iommu.hits", abi.C_IOTLB_HITS, "lookups", BOTH, "translations that the IOTLB held"),
  row("host.iommu.misses", abi.C_IOTLB_MISSES, "lookups", BOTH, "translations that took a page walk"),
  row("card.atc.hits", abi.C_ATC_HITS, "lookups", BOTH, "pages translated on the card, or asked for by it"),
  row("card.atc.misses", abi.C_ATC_MISSES, "lookups", BOTH, "pages that the card asked the IOMMU for"),
  row("card.tenant.operations", abi.C_TENANT_OPS, "operations", BOTH, "operations of other I/O that ended"),
  row("card.tenant.bytes", abi.C_TENANT_BYTES, "B", BOTH, "bytes of those operations"),
  ...STORAGE_COUNTERS,
  ...SCAN_COUNTERS,
  row("guest.writes", abi.C_WRITES, "writes", BOTH, "page writes of the vCPUs"),
  row("guest.reads", abi.C_READS, "pages", BOTH, "first reads of pages, where the trace has them"),
  row("guest.frees", abi.C_FREES, "pages", BOTH, "pages given back by the guest"),
  row(
    "guest.touches",
    abi.C_TOUCHES,
    "pages",
    DESTINATION,
    "accesses to a page that was missing or not mapped",
  ),
  row("guest.readTouches", abi.C_READ_TOUCHES, "pages", BOTH, "of them, reads; of QEMU's guest under source"),
  row("guest.requests", abi.C_DEMANDS, "pages", DESTINATION, "of the touches, pages asked for over the link"),
  row("card.requestsCrossed", abi.C_CROSSED, "pages", SOURCE, "asked for when they were on their way"),
  row("card.postcopyBytes", abi.C_POSTCOPY_BYTES, "B", SOURCE, "records of pages after the resume"),
  row("card.demandBytes", abi.C_DEMAND_BYTES, "B", SOURCE, "of them, of pages asked for: on link A"),
  row("guest.faults", abi.C_FAULTS, "faults", SOURCE, "writes to a protected page"),
  row("guest.falseDirtyPages", abi.C_FALSE_DIRTY, "pages", SOURCE, "sent again though nobody wrote them"),
  row(
    "guest.stallNs",
    abi.C_STALL_TICKS,
    "ns",
    SOURCE,
    "time that vCPUs stood in write faults and for their logs, summed over vCPUs",
  ),
  row("guest.cpuStallNs", abi.C_GUEST_CPU, "ns", SOURCE, "time that vCPUs lost to the migration's cores"),
  row("guest.logEntries", abi.C_LOG_ENTRIES, "pages", SOURCE, "pages put into logs of dirty pages"),
  ...SOFTWARE_COUNTERS,
  row("guest.fullLogs", abi.C_LOG_FULL, "exits", SOURCE, "writes that found the log of their vCPU full"),
  row("guest.devices.writes", abi.C_DEVICE_WRITES, "writes", SOURCE, "writes of the guest's devices, landed"),
  row("guest.devices.records", abi.C_DEVICE_RECORDS, "records", SOURCE, "records of them put into the ring"),
  row("guest.devices.ringHigh", abi.C_DEVICE_RING_HIGH, "slots", SOURCE, "most slots of the ring in use"),
  row(
    "guest.devices.stallNs",
    abi.C_DEVICE_STALL,
    "ns",
    SOURCE,
    "time that devices waited for a slot, summed over devices",
  ),
  row("guest.devices.overflows", abi.C_DEVICE_OVERFLOWS, "writes", SOURCE, "writes that found the ring full"),
  row(
    "guest.devices.recordBytes",
    abi.C_DEVICE_RECORD_BYTES,
    "B",
    SOURCE,
    "bytes on the PCIe wire of records, completions, flags and bitmap words",
  ),
  row(
    "guest.devices.examined",
    abi.C_DEVICE_EXAMINED,
    "records",
    SOURCE,
    "records examined, each time, or dirty bits of the IOMMU read",
  ),
  row(
    "host.busyNs",
    abi.C_HOST_TICKS,
    "ns",
    BOTH,
    "time of the front-end's core, work in hand at the end included whole",
  ),
  row("host.dirtyPages", abi.C_DIRTY_COLLECTED, "pages", SOURCE, "pages whose addresses went to the card"),
  row("vsock.toCard", abi.C_VSOCK_TO_CARD, "messages", BOTH, "messages from the front-end"),
  row("vsock.toHost", abi.C_VSOCK_TO_HOST, "messages", BOTH, "messages to the front-end"),
  row(
    "vsock.interruptsSaved",
    abi.C_INTERRUPTS_SAVED,
    "interrupts",
    BOTH,
    "messages to the front-end that the MSI-X of another one told of",
  ),
  row("vsock.bytes", abi.C_VSOCK_BYTES, "B", BOTH, "payload of both"),
  row("control.handlers", abi.C_HANDLERS, "calls", BOTH, "handlers that the firmware ran"),
  row("control.datagramAcks", abi.C_ACKS_HEARD, "frames", BOTH, "acknowledgements of datagrams heard"),
  row("control.datagramAcksLost", abi.C_ACKS_UNHEARD, "frames", BOTH, "that found their queue full"),
  row("card.dma.descriptors.fetches", abi.C_DESC_FETCHES, "batches", SOURCE, "descriptor batches fetched"),
  row("card.dma.read.requests", abi.C_READ_REQUESTS, "reads", SOURCE, "read requests of the DMA engine"),
  row("card.dma.read.pages", abi.C_READ_PAGES, "pages", SOURCE, "pages read from the guest's memory"),
  row(
    "card.dma.read.torn",
    abi.C_READ_TORN,
    "pages",
    SOURCE,
    "pages written by the guest while they were read; they are dirty again",
  ),
  row("card.dma.completions", abi.C_COMPLETIONS, "records", BOTH, "completion records of DMA descriptors"),
  row("card.zero.pages", abi.C_ZERO_PAGES, "pages", SOURCE, "all-zero pages, sent as a header alone"),
  row("card.delta.hits", abi.C_DELTA_HITS, "pages", SOURCE, "pages of which the cache had a copy"),
  row("card.delta.misses", abi.C_DELTA_MISSES, "pages", SOURCE, "pages of which it had none"),
  row("card.delta.overflows", abi.C_DELTA_OVERFLOWS, "pages", SOURCE, "hits whose delta was too large"),
  row("card.delta.unchanged", abi.C_DELTA_SAME, "pages", SOURCE, "hits in which nothing had changed"),
  row("card.delta.bytes", abi.C_DELTA_BYTES, "B", SOURCE, "deltas that were sent in place of pages"),
  row("card.delta.placed", abi.C_DELTA_PLACED, "pages", DESTINATION, "deltas that have been placed"),
  row("card.delta.writes", abi.C_DELTA_RUNS, "writes", DESTINATION, "runs of bytes that they wrote"),
  row(
    "card.compressor.pages",
    abi.C_LZ_PAGES,
    "pages",
    SOURCE,
    "pages and 4 KiB pieces of device state that were compressed",
  ),
  row("card.compressor.raw", abi.C_LZ_RAW, "pages", SOURCE, "those that did not shrink"),
  row(
    "card.compressor.bytesOut",
    abi.C_LZ_BYTES_OUT,
    "B",
    SOURCE,
    "bytes after compression, raw pages included",
  ),
  ...CODING.map(([name, counter, unit, text]) => row(name, counter, unit, SOURCE, text)),
  row("card.crypto.sealed", abi.C_RECORDS_SEALED, "records", BOTH, "records encrypted"),
  row("card.crypto.opened", abi.C_RECORDS_OPENED, "records", BOTH, "records authenticated and decrypted"),
  ...DECRYPTION,
  ...STORE,
  row("card.redone", abi.C_REDONE, "jobs", BOTH, "jobs and handlers begun again after a failure"),
  row(
    "card.compressor.passed",
    abi.C_ENGINE_PASSED,
    "pages",
    SOURCE,
    "pages that passed encoders that had all failed",
  ),
  row(
    "card.engineDropped",
    abi.C_ENGINE_DROPPED,
    "records",
    BOTH,
    "records that met engines that had all failed",
  ),
  row("card.crypto.askedAgain", abi.C_ASKED_AGAIN, "records", DESTINATION, "records asked for again"),
  row("card.crypto.keyMisses", abi.C_KEY_MISSES, "loads", BOTH, "keys that were in no slot"),
  row("stages.zeroNs", abi.C_STAGE_ZERO, "ns", SOURCE, "cores that looked for zero pages in software"),
  row("stages.compressNs", abi.C_STAGE_COMPRESS, "ns", SOURCE, "cores that compressed in software"),
  row("stages.cryptNs", abi.C_STAGE_CRYPT, "ns", BOTH, "cores that sealed and opened in software"),
  row("stages.decompressNs", abi.C_STAGE_DECOMPRESS, "ns", DESTINATION, "cores that decoded in software"),
  ...HOSTS,
  row(
    "link.recordBytes.state",
    abi.C_RECORD_BYTES_A,
    "B",
    BOTH,
    "records given to data link A (device state)",
  ),
  row("link.recordBytes.pages", abi.C_RECORD_BYTES_B, "B", BOTH, "records given to data link B (pages)"),
  row("link.deviceBytes", abi.C_DEVICE_BYTES, "B", SOURCE, "device state sent, after compression"),
  row("link.frames", abi.C_NET_FRAMES, "frames", BOTH, "Ethernet frames sent"),
  row("link.wireBytes", abi.C_NET_WIRE_BYTES, "B", BOTH, "bytes of those frames with preamble and gap"),
  row("link.payloadBytes.state", abi.C_NET_PAYLOAD_A, "B", BOTH, "TCP payload of data link A"),
  row("link.payloadBytes.pages", abi.C_NET_PAYLOAD_B, "B", BOTH, "TCP payload of data link B"),
  row("link.acks", abi.C_NET_ACKS, "frames", BOTH, "frames that carry an acknowledgement alone"),
  row(
    "link.pauses",
    abi.C_NET_PAUSES,
    "frames",
    BOTH,
    "PAUSE frames from the switch to the port, repeated ones and those of no time among them",
  ),
  row(
    "card.dma.write.pages",
    abi.C_PLACED_PAGES,
    "pages",
    DESTINATION,
    "pages placed in the destination's memory",
  ),
  row(
    "card.dma.write.zeroPages",
    abi.C_PLACED_ZERO,
    "pages",
    DESTINATION,
    "all-zero pages placed, written or not",
  ),
  row(
    "card.dma.write.skippedPages",
    abi.C_PLACED_SKIPPED,
    "pages",
    DESTINATION,
    "all-zero pages that fresh memory made unnecessary to write",
  ),
];

const HISTOGRAMS: readonly Spec[] = [
  row(
    "storage.requestNs",
    abi.H_STORAGE,
    "ns",
    BOTH,
    "a storage request, from the guest's asking to its answer",
  ),
  row(
    "card.tenant.operationNs",
    abi.H_TENANT,
    "ns",
    BOTH,
    "an operation of other I/O, from asking to its end",
  ),
  row(
    "card.dma.read.requestNs",
    abi.H_REQUEST,
    "ns",
    SOURCE,
    "one read request, from issue to its last byte",
  ),
  row(
    "card.dma.read.pageNs",
    abi.H_PAGE_READ,
    "ns",
    SOURCE,
    "one page read, from the first request to the last byte",
  ),
  row(
    "card.pageNs",
    abi.H_PAGE_TOTAL,
    "ns",
    SOURCE,
    "one page in the source card, from the first request to the send buffer",
  ),
  row(
    "card.crypto.openNs",
    abi.H_RECORD_OPEN,
    "ns",
    DESTINATION,
    "one record from the receive buffer through decryption",
  ),
  row(
    "card.dma.write.pageNs",
    abi.H_PLACE,
    "ns",
    DESTINATION,
    "one page from the receive buffer to the destination's memory",
  ),
  row(
    "guest.firstTouchNs",
    abi.H_FIRST_TOUCH,
    "ns",
    DESTINATION,
    "a vCPU's wait for a page that was missing or not mapped",
  ),
  row("vsock.messageNs", abi.H_MESSAGE, "ns", BOTH, "one message, from sending to delivery"),
];

/** A value with its unit. */
export interface Count {
  unit: string;
  value: number;
}

/** A distribution of times. Percentiles are interpolated within buckets an eighth of an octave wide. */
export interface Distribution {
  unit: "ns";
  count: number;
  mean: number;
  p50: number;
  p99: number;
  p999: number;
  max: number;
}

/** Lower edge of a bucket in ticks: 8 buckets an octave, exact below 8. */
export function bucketEdge(bucket: number): number {
  if (bucket < 8) return bucket;
  return (8 + (bucket % 8)) * 2 ** (Math.floor(bucket / 8) - 1);
}

/** The value in ticks below which a share of the samples lies, interpolated within its bucket. */
export function percentile(histogram: Histogram, share: number): number {
  const rank = share * Number(histogram.count);
  let below = 0;
  for (const [bucket, n] of histogram.buckets.entries()) {
    if (n === 0n) continue;
    if (below + Number(n) >= rank) {
      const low = bucketEdge(bucket);
      const within = low + ((bucketEdge(bucket + 1) - low) * (rank - below)) / Number(n);
      return Math.min(Number(histogram.max), Math.max(Number(histogram.min), within));
    }
    below += Number(n);
  }
  return Number(histogram.max);
}

function distribution(histogram: Histogram): Distribution {
  const ns = (ticks: number): number => Math.round((ticks / abi.TICKS_PER_NS) * 1000) / 1000;
  const count = Number(histogram.count);
  const at = (share: number): number => (count === 0 ? 0 : ns(percentile(histogram, share)));
  const mean = count === 0 ? 0 : ns(Number(histogram.sum) / count);
  return { unit: "ns", count, mean, p50: at(0.5), p99: at(0.99), p999: at(0.999), max: nsOf(histogram.max) };
}

/** Every statistic of a run by its full name, `source.card.dma.read.pages`. */
export function statsOf(reading: Reading): Record<string, Count | Distribution> {
  const stats: Record<string, Count | Distribution> = {};
  for (const [side, sideName] of SIDES.entries()) {
    for (const { name, at, unit, sides } of COUNTERS) {
      if (!sides.includes(side)) continue;
      const value = reading.counters[side]![at]!;
      stats[`${sideName}.${name}`] = { unit, value: unit === "ns" ? nsOf(value) : Number(value) };
    }
    for (const { name, at, sides } of HISTOGRAMS) {
      if (sides.includes(side)) stats[`${sideName}.${name}`] = distribution(reading.histograms[side]![at]!);
    }
  }
  return stats;
}

/** A line of the catalogue of what a result holds. */
export interface CatalogueEntry {
  readonly name: string;
  readonly unit: string;
  readonly text: string;
}

/** All statistics and accounting units, in the order in which a page meets them. */
export function statsCatalogue(): CatalogueEntry[] {
  const entries: CatalogueEntry[] = [];
  for (const [side, sideName] of SIDES.entries()) {
    for (const { name, count, text } of ACCOUNTS) {
      const full = `${sideName}.${name}${count === 1 ? "" : ".N"}`;
      entries.push({
        name: full,
        unit: "ticks",
        text: `${text}: time busy, starved, blocked, waiting by cause`,
      });
    }
    const kinds: [readonly Spec[], string][] = [
      [COUNTERS, ""],
      [HISTOGRAMS, ": count, mean, p50, p99, p999, max"],
    ];
    for (const [table, more] of kinds) {
      for (const { name, unit, text, sides } of table) {
        if (sides.includes(side)) entries.push({ name: `${sideName}.${name}`, unit, text: text + more });
      }
    }
  }
  return entries;
}
