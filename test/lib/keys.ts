// SPDX-License-Identifier: Apache-2.0
// For every key of a scenario another value, and what else must be so for the value to matter. A reason in
// parentheses: the key changes no fingerprint, and that is right.

/** Another value; then `--set` texts of both runs. */
export type Other = string | readonly [value: string, ...sets: string[]];

/** A guest with many pages to write: each is written once in 20 ms. */
const BUSY = ["guest.generate.memory=8 MiB", "guest.generate.workingSet=8 MiB"] as const;
const TENANT = "tenant={ workers: 6 }";
const STORAGE = "guest.storage={ every: 1 us }";
const storageOf = (keys: string): string => `guest.storage={ every: 1 us, ${keys} }`;
const LOSSY = "link.congestion=cubic";
const SLOW_SWITCH = ["link.transport=udp", "link.bottleneck=1 Gbit/s", "link.buffer=80 KiB", ...BUSY];
const HELD = "internal.interrupts={ every: 300 us, after: 8 }";
const BROKEN = [
  "link.transport=udp",
  "migration.silence=100 us",
  "faults=[{ at: 2.1 ms, what: link-down }]",
] as const;
const SPOILT = ["faults=[{ at: 2.1 ms, what: corrupt, records: 2 }]"] as const;
const PAUSE = "link.pause={ low: 20 kB }";
/** A device that writes half of the guest as fast as the link lets it, and what sees it. */
const NIC = "guest.devices=[{ name: nic, writes: { rate: 1000000 /s, workingSet: 512 KiB, fetch: 5 us } }]";
const RING = [NIC, "tracker.devices=wilson-ring", ...BUSY] as const;
const BITS = [NIC, "tracker.devices=iommu-dirty-bits", "internal.iommu=4KiB"] as const;
const FULL = [...RING, "tracker.records={ slots: 64, poll: none }"] as const;
const AHEAD = [...RING, "tracker.records={ order: before-data }"] as const;
/** Hits and misses of writes stand side by side. */
const SMALL_IOTLB = ["destination.host.iommu.entries=4", "destination.host.iommu.walk=9 us"] as const;
const NO_DLL = "internal.dll=none";
const PLAIN = ["compress=off", "encrypt=off"] as const;
const BOTH_LINKS = [
  "link.arbitration=weighted",
  "guest.deviceState=256 KiB",
  "guest.generate.rate=1000000 /s",
  "link.rate=1 Gbit/s",
  "link.mtu=1500",
  ...PLAIN,
] as const;
const FEW_PORTS = ["SIDE.card.compressor.banks=1", "SIDE.card.compressor.ports=1"] as const;

/** Of placement qemu; test/45-software-features.test.ts has another value for each. */
const SOFTWARE_SECTION: Readonly<Record<string, string>> = Object.fromEntries(
  [
    ...["xbzrle", "xbzrle.cacheSize", "xbzrle.overflow", "xbzrle.delta", "xbzrle.encode"],
    ...["multifd", "multifd.channels", "multifd.compression", "multifd.ratioPerMille", "multifd.queue"],
    ...["multifd.page", "multifd.zeroPage"],
    ...["postcopy", "postcopy.afterSyncs", "postcopy.place", "postcopy.fault", "maxSyncs"],
  ].map((key) => [`software.${key}`, "(of placement qemu, test/45-software-features.test.ts)"]),
);
const ON_HOST = [
  "placement={ zero: host, compress: host }",
  "internal.pages=vsock",
  "compress.engine=lz4-sw",
] as const;
/** Pages move after the resume, and the guest writes on meanwhile. */
const LATE = [
  "migration.residual=on-demand",
  "migration.missing={ pushAfter: 50 us }",
  "guest.generate.rate=2000000 /s",
  ...BUSY,
] as const;

/** Of the generated guest of the base scenario, and everything that is not a side's. */
export const KEYS: Readonly<Record<string, Other>> = {
  name: "(a name)",
  "guest.generate.memory": "8 MiB",
  "guest.generate.rate": ["20000 /s", ...BUSY],
  "guest.generate.workingSet": ["64 KiB", ...BUSY],
  "guest.generate.pattern": ["zipf", ...BUSY],
  "guest.generate.mix": "{ zero: 50, text: 50, random: 0 }",
  "guest.vcpus": ["3", ...BUSY],
  "guest.deviceState": "40 KiB",
  "guest.clock": ["wall", ...BUSY],
  "guest.storage": "{}",
  "guest.storage.depth": ["4", STORAGE],
  "guest.storage.queue": ["256", STORAGE],
  "guest.storage.size": ["8 KiB", STORAGE],
  "guest.storage.reads": ["20", STORAGE],
  "guest.storage.every": ["2 us", STORAGE],
  "guest.storage.service.min": ["30 us", STORAGE],
  "guest.storage.service.median": ["60 us", STORAGE],
  "guest.storage.service.p99": ["200 us", STORAGE],
  "guest.storage.service.max": ["2 ms", STORAGE],
  "guest.storage.quiesce": ["drain", STORAGE],
  "guest.storage.at": ["stop", STORAGE],
  "guest.storage.suspendLatency": ["30 us", STORAGE],
  "guest.storage.resumeLatency": ["30 us", STORAGE],
  "guest.storage.stateBytes": ["8 KiB", STORAGE],
  "guest.storage.stateRate": ["2 Gbit/s", STORAGE],
  "guest.storage.pfCost": ["9 us", storageOf("quiesce: pf-fallback"), "link.rate=1 Gbit/s"],
  "guest.storage.cancelLatency": ["20 us", storageOf("quiesce: cancel")],
  "guest.storage.tags": ["1", storageOf("reads: 0")],
  "guest.storage.unsafe": "(needs quiesce: none, which breaks an invariant; test/48-storage)",
  "internal.pages": "vsock",
  "internal.addresses": "list",
  "internal.dll": "none",
  "internal.iommu": "4KiB",
  "internal.ats": ["on", "internal.iommu=4KiB"],
  "internal.relaxedOrdering": ["on", "internal.iommu=4KiB", ...SMALL_IOTLB],
  "internal.jitter": "on",
  "internal.numa": "remote",
  "internal.contention": "on",
  "internal.interrupts": "{ every: 300 us }",
  "internal.interrupts.every": ["1 us", HELD],
  "internal.interrupts.after": ["1", HELD],
  "internal.ecrc": "on",
  "internal.bitErrorRate": "1e-6",
  placement: "{ zero: card-core }",
  "placement.zero": "card-core",
  "placement.compress": ["card-core", "compress.engine=lz4-sw"],
  "placement.workers": ["3", ...ON_HOST],
  "placement.encrypt": "card-core",
  "placement.decrypt": "card-core",
  "placement.decompress": "card-core",
  ...SOFTWARE_SECTION,
  tenant: "{ op: read, workers: 8 }",
  "tenant.side": ["source", TENANT],
  "tenant.op": ["write", TENANT],
  "tenant.size": ["64 B", TENANT],
  "tenant.window": ["8 KiB", TENANT, "internal.iommu=4KiB"],
  "tenant.workers": ["2", TENANT],
  "tenant.every": ["30 us", TENANT],
  "tenant.tags": ["1", TENANT],
  faults: "[{ at: 2.05 ms, what: pcie-down, for: 1 ms, side: source }]",
  "link.transport": "udp",
  "tracker.kind": "bitmap",
  "tracker.start": "on-demand",
  "tracker.startLatency": ["2 ms", "tracker.start=on-demand"],
  "guest.devices": ["[{ name: a, writes: { rate: 2000 /s, workingSet: 8 KiB } }]", ...RING],
  "tracker.order": ["clear-after-read", ...BUSY],
  "tracker.devices": ["none", ...RING],
  "tracker.records.slots": ["128", ...FULL],
  "tracker.records.bytes": ["64", ...RING],
  "tracker.records.order": ["before-data", ...RING],
  "tracker.records.release": ["examined", ...AHEAD],
  "tracker.records.full": ["overflow", ...FULL],
  "tracker.records.poll": ["9 us", ...RING],
  "tracker.ring": ["64", "tracker.kind=dirty-ring", ...BUSY],
  "tracker.group": ["8", ...BUSY],
  "tracker.groups": ["contiguity", "tracker.group=8", ...BUSY],
  compress: "off",
  "compress.engine": "off",
  "compress.engines": "1",
  "compress.pws": "8",
  "compress.hashLog": "8",
  "compress.banks": "4",
  "compress.ports": ["1", "compress.banks=1"],
  "compress.policy": ["stall", "compress.banks=1", "compress.ports=1"],
  "compress.matchCap": "8",
  "compress.tokensPerClock": ["1", "compress.pws=32"],
  "compress.outBytesPerClock": "1 B/cycle",
  "compress.outFifoBytes": ["64 B", "compress.outBytesPerClock=1 B/cycle"],
  "compress.fillLatency": "50 cycles",
  "compress.setupCycles": "100 cycles",
  "compress.bailMargin": "3900 B",
  encrypt: "off",
  "encrypt.cipher": "aes-256-gcm",
  "link.preset": "ethernet-25g",
  "link.rate": "10 Gbit/s",
  "link.rtt": "40 us",
  "link.mtu": "1500",
  "link.preamble": "9 B",
  "link.gap": "13 B",
  "link.fcs": "5 B",
  "link.header": "18 B",
  "link.minFrame": "128 B",
  "link.window": ["64 KiB", "link.rtt=200 us"],
  "link.rateCap": "1 Gbit/s",
  "link.congestion": "reno",
  "link.loss": ["0.02", LOSSY],
  "link.jitter": ["3 us", LOSSY],
  "link.streams": ["2", LOSSY],
  "link.bottleneck": ["1 Gbit/s", LOSSY],
  "link.buffer": ["20 KiB", LOSSY, "link.bottleneck=1 Gbit/s", ...BUSY],
  "link.pause": ["on", ...SLOW_SWITCH],
  "link.pause.high": ["30 kB", ...SLOW_SWITCH, PAUSE],
  "link.pause.low": ["30 kB", ...SLOW_SWITCH, PAUSE],
  "link.pause.hop": ["1 us", ...SLOW_SWITCH, PAUSE],
  "link.pause.quanta": ["16", ...SLOW_SWITCH, PAUSE],
  "link.inFlight": ["64 KiB", LOSSY, "link.rtt=200 us", ...BUSY],
  "link.windowGrowth": ["auto", LOSSY, "link.rtt=200 us", ...BUSY],
  "link.retries": ["1", "link.transport=udp", "faults=[{ at: 2.1 ms, what: link-down }]"],
  "link.framing.vlan": "1",
  "link.framing.ip": "v6",
  "link.framing.vxlan": "on",
  "link.framing.macsec": "sci",
  "link.framing.esp": "tunnel",
  "link.framing.tls": "v1.3",
  "link.arbitration": ["weighted", "guest.deviceState=256 KiB", "link.rate=100 Mbit/s", ...PLAIN],
  "link.weights.state": ["9", "link.weights.pages=60", ...BOTH_LINKS],
  "link.weights.pages": ["60", ...BOTH_LINKS],
  "migration.downtimeLimit": ["1 s", ...BUSY],
  "migration.maxRounds": ["2", ...BUSY],
  "migration.algorithm": ["hybrid", "migration.downtimeLimit=300 ms", "migration.maxRounds=30", ...BUSY],
  "migration.residual": "after-resume",
  "migration.threshold": ["5", "migration.downtimeLimit=300 ms", ...BUSY],
  "migration.missing.fault": ["1 us", ...LATE],
  "migration.missing.map": ["1 us", ...LATE],
  "migration.missing.pushAfter": ["80 us", ...LATE],
  "migration.missing.pushRate": ["1 Gbit/s", ...LATE],
  "migration.missing.ahead": ["2", ...LATE],
  "migration.timeout": "200 us",
  "migration.onTimeout": ["fail", "migration.timeout=200 us"],
  "migration.startAt": "2.01 ms",
  "migration.silence": ["1 us", LOSSY],
  "migration.retries": ["1", ...BROKEN],
  "migration.onTagFailure": ["ask-again", ...SPOILT],
  "migration.tagRetries": ["1", "migration.onTagFailure=ask-again", ...SPOILT],
  "migration.retryAfter": ["2 ms", "migration.retries=1", ...BROKEN],
  content: "(what is carried changes no time: full, sized and sampled give one fingerprint)",
  sampleEvery: "(as content)",
  seed: "2",
};

const DELTA = "delta={ xbzrle: {} }";

/** Of a guest that plays a trace. */
export const TRACE_KEYS: Readonly<Record<string, Other>> = {
  "guest.trace": "example.mdt",
  "guest.atEnd": ["fail", "guest.speed=400000"],
  "guest.tile": "2",
  "guest.speed": "40000",
  delta: "{ xbzrle: {} }",
  "delta.xbzrle.cache": ["256 KiB", DELTA],
  "delta.xbzrle.width": ["1 B/cycle", DELTA],
  "delta.xbzrle.most": ["64", DELTA],
  "guest.mix": "(of a trace without bodies, which none of the shipped is: test/12-trace-sampled)",
};

const SOURCE_ONLY = "(of the source)";
const DESTINATION_ONLY = "(of the destination)";
/** Reads of the destination are those of messages to its card: the last one, and ring entries. */
const FEW_READS = "(the destination reads 60 bytes at most, one read at a time)";

/** Of a probe alone: the lines of a migration are nowhere cached and on this socket, it has no other I/O. */
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
  "card.tcp.receiveWindow": { source: DESTINATION_ONLY, destination: ["64 KiB", "link.rtt=200 us"] },
  "card.port.rate": "(a limit of link.rate)",
};
