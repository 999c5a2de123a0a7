// SPDX-License-Identifier: Apache-2.0
/** Another value of every key of a side: see keys.ts. */
import { BUSY, NIC, ON_HOST, type Other, RING } from "./keys.ts";

const NO_DLL = "internal.dll=none";
const BITS = [NIC, "tracker.devices=iommu-dirty-bits", "internal.iommu=4KiB"] as const;
const FEW_PORTS = ["SIDE.card.compressor.banks=1", "SIDE.card.compressor.ports=1"] as const;
const SOURCE_ONLY = "(of the source)";
const DESTINATION_ONLY = "(of the destination)";
/** Reads of the destination are those of messages to its card: the last one, and ring entries. */
const FEW_READS = "(the destination reads 60 bytes at most, one read at a time)";

/** Of a probe alone: the lines of a migration are nowhere cached and on this socket, it has no other I/O. */
const BY_CYCLES = "(of placement qemu, refused with cards; test/57-host.test.ts)";
const SOFTWARE_ONLY = "(of placement qemu, refused with cards; test/45-software.test.ts)";
const PROBE_ONLY = "(of probes)";
const IOMMU = "internal.iommu=4KiB";
const ATS = [IOMMU, "internal.ats=on"] as const;
const SELDOM = "(the destination reads too seldom)";
/** Longer than a page of writes: one walk begins before the last is over. */
const LONG_WALKS = ["SIDE.host.iommu.walk=5 us"] as const;
const JITTER = "internal.jitter=on";
const CONTENTION = "internal.contention=on";

const ON_CORES =
  "placement={ zero: card-core, encrypt: card-core, decrypt: card-core, decompress: card-core }";
const CODED_ON_CORES = ["placement={ compress: card-core }", "compress.engine=lz4-sw"] as const;

/** What differs from side to side. */
export type SideOther = Readonly<Record<"source" | "destination", Other>>;

/** Of a host or a card: at the source, and at the destination where that differs. */
export const SIDE_KEYS: Readonly<Record<string, Other | SideOther>> = {
  host: "gen5-host",
  "host.preset": "gen5-host",
  "host.pcie.generation": "2",
  "host.pcie.lanes": "4",
  "host.pcie.mps": "128",
  "host.pcie.mrrs": { source: "256", destination: FEW_READS },
  "host.pcie.phCredits": ["1", NO_DLL],
  "host.pcie.pdCredits": ["16", NO_DLL],
  "host.pcie.nphCredits": { source: ["1", NO_DLL], destination: FEW_READS },
  "host.pcie.npdCredits": {
    source: ["1", NO_DLL, "tracker.kind=bitmap", "internal.addresses=card-scans", ...BUSY],
    destination: "(only the source's card scans)",
  },
  "host.pcie.rcb": { source: ["128", "SIDE.host.pcie.combineAbove=4096"], destination: FEW_READS },
  "host.pcie.flight": "200 ns",
  "host.pcie.combineAbove": { source: "4096", destination: FEW_READS },
  "host.memory.remoteAdder": ["1 us", "internal.numa=remote"],
  "host.memory.cache": PROBE_ONLY,
  "host.memory.load": ["900", CONTENTION],
  "host.memory.sustained": { source: ["100", CONTENTION], destination: SELDOM },
  "host.memory.contention": ["9000", CONTENTION, "SIDE.host.memory.load=500"],
  "host.memory.jitterMin": ["20 ns", JITTER],
  "host.memory.jitterP95": ["100 ns", JITTER],
  "host.memory.jitterP999": { source: ["170 ns", JITTER], destination: SELDOM },
  "host.memory.jitterMax": ["0 s", JITTER],
  "host.iommu.entries": ["4", IOMMU],
  "host.iommu.ways": ["1", IOMMU],
  "host.iommu.walk": ["900 ns", IOMMU],
  "host.iommu.recovery": ["900 ns", IOMMU],
  "host.iommu.readPerKiB": { source: ["9 us", IOMMU], destination: SELDOM },
  "host.iommu.walkers": ["1", IOMMU, ...LONG_WALKS, "SIDE.host.iommu.serialWalks=no"],
  "host.iommu.serialWalks": ["no", IOMMU, ...LONG_WALKS],
  "host.cpu.clock": { source: "1 GHz", destination: SOURCE_ONLY },
  "host.cpu.cores": { source: "1", destination: SOURCE_ONLY },
  "host.memory.bandwidth": "1 Gbit/s",
  "host.memory.readLatency": "900 ns",
  "host.memory.missAdder": "300 ns",
  "host.memory.copyRate": "1 Gbit/s",
  "host.tracker.writeFault": { source: "30 us", destination: SOURCE_ONLY },
  "host.tracker.scanWordCycles": { source: "90 cycles", destination: SOURCE_ONLY },
  "host.tracker.protectPage": { source: "90 ns", destination: SOURCE_ONLY },
  "host.tracker.tlbFlush": { source: "9 us", destination: SOURCE_ONLY },
  "host.tracker.logExit": { source: ["9 us", "tracker.kind=pml", ...BUSY], destination: SOURCE_ONLY },
  "host.tracker.logEntry": { source: ["90 ns", "tracker.kind=pml", ...BUSY], destination: SOURCE_ONLY },
  "host.tracker.examine": { source: ["9 us", ...RING], destination: SOURCE_ONLY },
  "host.tracker.record": { source: ["900 ns", ...RING], destination: SOURCE_ONLY },
  "host.tracker.iommuEntryCycles": { source: ["90 cycles", ...BITS], destination: SOURCE_ONLY },
  "host.tracker.iommuClear": { source: ["900 ns", ...BITS], destination: SOURCE_ONLY },
  "host.tracker.iotlbFlush": { source: ["9 us", ...BITS], destination: SOURCE_ONLY },
  "host.frontend.interrupt": "9 us",
  "host.frontend.deviceStatePerKiB": { source: DESTINATION_ONLY, destination: "1 us" },
  "host.frontend.suspend": { source: "9 us", destination: SOURCE_ONLY },
  "host.frontend.resume": { source: DESTINATION_ONLY, destination: "9 us" },
  "host.vsock.messageCost": "9 us",
  "host.qemu.normalPage": SOFTWARE_ONLY,
  "host.qemu.zeroPage": SOFTWARE_ONLY,
  "host.qemu.loadPage": SOFTWARE_ONLY,
  "host.qemu.loadZeroPage": SOFTWARE_ONLY,
  "host.qemu.setup": SOFTWARE_ONLY,
  "host.qemu.wake": SOFTWARE_ONLY,
  "host.qemu.socketBuffer": SOFTWARE_ONLY,
  "host.qemu.checkPerKiB": BY_CYCLES,
  "host.qemu.sendPerKiB": BY_CYCLES,
  "host.qemu.receivePerKiB": BY_CYCLES,
  "host.qemu.zstdPerKiB": BY_CYCLES,
  "host.qemu.unzstdPerKiB": BY_CYCLES,
  "host.stages.job": { source: ["9000 cycles", ...ON_HOST], destination: SOURCE_ONLY },
  "host.stages.zeroPerKiB": { source: ["9000 cycles", ...ON_HOST], destination: SOURCE_ONLY },
  "host.stages.lz4PerKiB": { source: ["90 cycles", ...ON_HOST], destination: SOURCE_ONLY },
  "host.stages.lz4RawPerKiB": { source: ["9000 cycles", ...ON_HOST], destination: SOURCE_ONLY },
  card: "nfp6000-e5",
  "card.preset": "nfp6000-e5",
  "card.clock": "700 MHz",
  "card.pcie.generation": "2",
  "card.pcie.lanes": "4",
  "card.pcie.mps": "128",
  "card.pcie.linkShare": "500",
  "card.pcie.mrrs": { source: "256", destination: FEW_READS },
  // doorbells never wait; posted credits that are endless are not returned
  "card.pcie.phCredits": ["0", "SIDE.card.pcie.pdCredits=0"],
  "card.pcie.pdCredits": ["0", "SIDE.card.pcie.phCredits=0"],
  "card.pcie.tags": { source: "10", destination: FEW_READS },
  "card.pcie.completionBuffer": { source: "16 KiB", destination: FEW_READS },
  "card.pcie.completionHeaders": { source: "256", destination: FEW_READS },
  "card.pcie.replayBuffer": ["4 KiB", ...BUSY],
  "card.ats.entries": ["1", ...ATS],
  "card.ats.requests": ["1", ...ATS, "SIDE.card.ats.entries=1"],
  "card.dma.readQueues": { source: "1", destination: SOURCE_ONLY },
  "card.dma.writeQueues": { source: DESTINATION_ONLY, destination: "1" },
  "card.dma.prefetchBatches": { source: "1", destination: SOURCE_ONLY },
  "card.dma.completionEvery": "1",
  "card.dma.completionBytes": ["64", "SIDE.card.dma.completionEvery=1"],
  "card.dma.readIssue": { source: "200 cycles", destination: SOURCE_ONLY },
  "card.dma.writeIssue": { source: DESTINATION_ONLY, destination: "200 cycles" },
  "card.dma.descriptorBytes": { source: "64", destination: SOURCE_ONLY },
  "card.dma.descriptorBatch": { source: "4", destination: SOURCE_ONLY },
  "card.dma.stagingSram": {
    source: ["128 KiB", "link.window=64 KiB", "link.rtt=200 us"],
    destination: ["128 KiB", "SIDE.host.memory.bandwidth=1 Gbit/s"],
  },
  "card.dma.ring": { source: "card", destination: SOURCE_ONLY },
  "card.engine.workers": PROBE_ONLY,
  "card.engine.start": PROBE_ONLY,
  "card.engine.tagHold": PROBE_ONLY,
  "card.engine.tagRings": PROBE_ONLY,
  "card.engine.completions": PROBE_ONLY,
  "card.engine.copyPerKiB": PROBE_ONLY,
  "card.engine.memoryPerKiB": PROBE_ONLY,
  "card.engine.issue": PROBE_ONLY,
  "card.engine.writeFloor": PROBE_ONLY,
  "card.engine.burst": PROBE_ONLY,
  "card.engine.burstGap": PROBE_ONLY,
  "card.scanner.wordsPerCycle": { source: "1", destination: SOURCE_ONLY },
  "card.zeroFilter.bytesPerCycle": { source: "8 B/cycle", destination: SOURCE_ONLY },
  "card.compressor.engines": { source: "1", destination: SOURCE_ONLY },
  "card.compressor.pws": { source: "8", destination: SOURCE_ONLY },
  "card.compressor.hashLog": { source: "8", destination: SOURCE_ONLY },
  "card.compressor.banks": { source: "4", destination: SOURCE_ONLY },
  "card.compressor.ports": { source: ["1", "SIDE.card.compressor.banks=1"], destination: SOURCE_ONLY },
  "card.compressor.policy": { source: ["stall", ...FEW_PORTS], destination: SOURCE_ONLY },
  "card.compressor.matchCap": { source: "8", destination: SOURCE_ONLY },
  "card.compressor.tokensPerClock": {
    source: ["1", "SIDE.card.compressor.pws=32"],
    destination: SOURCE_ONLY,
  },
  "card.compressor.outBytesPerClock": { source: "1 B/cycle", destination: SOURCE_ONLY },
  "card.compressor.outFifoBytes": {
    source: ["64 B", "SIDE.card.compressor.outBytesPerClock=1 B/cycle"],
    destination: SOURCE_ONLY,
  },
  "card.compressor.fillLatency": { source: "50 cycles", destination: SOURCE_ONLY },
  "card.compressor.setupCycles": { source: "100 cycles", destination: SOURCE_ONLY },
  "card.compressor.bailMargin": { source: "3900 B", destination: SOURCE_ONLY },
  "card.decompressor.formats": "(decides what is refused, and nothing else: test/26-engines)",
  "card.decompressor.engines": { source: DESTINATION_ONLY, destination: "1" },
  "card.decompressor.bytesPerCycle": { source: DESTINATION_ONLY, destination: "1 B/cycle" },
  "card.decompressor.setupCycles": { source: DESTINATION_ONLY, destination: "100 cycles" },
  "card.crypto.engines": "1",
  "card.crypto.bitsPerCycle": "128 bit/cycle",
  "card.crypto.keySlots": "1",
  "card.crypto.cyclesPerRound": ["4", "SIDE.card.crypto.bitsPerCycle=128 bit/cycle"],
  "card.crypto.stagesPerRound": "4",
  "card.crypto.ghashLatency": "64 cycles",
  "card.crypto.tagCycles": "64 cycles",
  "card.crypto.recordGap": "500 cycles",
  "card.crypto.interleave": "record",
  "card.crypto.egress": {
    source: ["admit", "link.window=64 KiB", "link.rtt=200 us"],
    destination: "(of sealing; the destination seals control records alone, one at a time)",
  },
  "card.crypto.keyLoad": "5000 cycles",
  "card.control.cores": "1",
  "card.control.clock": "700 MHz",
  "card.control.addressBatchCycles": { source: "5000 cycles", destination: SOURCE_ONLY },
  "card.control.addressPageCycles": { source: "50 cycles", destination: SOURCE_ONLY },
  "card.control.descriptorBatchCycles": { source: "500 cycles", destination: SOURCE_ONLY },
  "card.control.pageRecordCycles": "500 cycles",
  "card.control.roundEndCycles": "5000 cycles",
  "card.control.interruptCycles": "5000 cycles",
  "card.stages.job": ["900 cycles", ON_CORES],
  "card.stages.zeroPerKiB": { source: ["900 cycles", ON_CORES], destination: SOURCE_ONLY },
  "card.stages.lz4PerKiB": { source: ["900 cycles", ...CODED_ON_CORES], destination: SOURCE_ONLY },
  "card.stages.lz4RawPerKiB": { source: ["9000 cycles", ...CODED_ON_CORES], destination: SOURCE_ONLY },
  "card.stages.unlz4PerKiB": { source: DESTINATION_ONLY, destination: ["900 cycles", ON_CORES] },
  "card.stages.gcmPerKiB": ["900 cycles", ON_CORES],
  "card.dram.bandwidth": "10 Gbit/s",
  "card.dram.store": { source: ["64 KiB", "encrypt.when=before-request"], destination: SOURCE_ONLY },
  "card.tcp.receiveWindow": { source: DESTINATION_ONLY, destination: ["64 KiB", "link.rtt=200 us"] },
  "card.port.rate": "(a limit of link.rate)",
};
