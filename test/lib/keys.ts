// SPDX-License-Identifier: Apache-2.0
// For every key of a scenario another value, and what else must be so for the value to matter. A reason in
// parentheses: the key changes no fingerprint, and that is right.

/** Another value; then `--set` texts of both runs. */
export type Other = string | readonly [value: string, ...sets: string[]];

/** A guest with many pages to write: each is written once in 20 ms. */
export const BUSY = ["guest.generate.memory=8 MiB", "guest.generate.workingSet=8 MiB"] as const;
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
export const NIC =
  "guest.devices=[{ name: nic, writes: { rate: 1000000 /s, workingSet: 512 KiB, fetch: 5 us } }]";
export const RING = [NIC, "tracker.devices=wilson-ring", ...BUSY] as const;
const FULL = [...RING, "tracker.records={ slots: 64, poll: none }"] as const;
const AHEAD = [...RING, "tracker.records={ order: before-data }"] as const;
/** Hits and misses of writes stand side by side. */
const SMALL_IOTLB = ["destination.host.iommu.entries=4", "destination.host.iommu.walk=9 us"] as const;
const SCANS = ["tracker.kind=bitmap", "internal.addresses=card-scans", ...BUSY] as const;
const PLAIN = ["compress=off", "encrypt=off"] as const;
const SEALED = "encrypt.decrypt={ demand: true }";
const BOTH_LINKS = [
  "link.arbitration=weighted",
  "guest.deviceState=256 KiB",
  "guest.generate.rate=1000000 /s",
  "link.rate=1 Gbit/s",
  "link.mtu=1500",
  ...PLAIN,
] as const;

/** Of placement qemu; test/57-qemu-limits.test.ts has another value for each. */
const SOFTWARE_LIMITS: Readonly<Record<string, string>> = Object.fromEntries(
  [
    ...["dirtyLimit", "dirtyLimit.rate", "dirtyLimit.period"],
    ...["devicePrecopy", "devicePrecopy.initial", "devicePrecopy.changes", "devicePrecopy.every"],
  ].map((key) => [`software.${key}`, "(of placement qemu, test/57-qemu-limits.test.ts)"]),
);
/** Of placement qemu; test/45-software-features.test.ts has another value for each. */
const SOFTWARE_SECTION: Readonly<Record<string, string>> = Object.fromEntries(
  [
    "costs",
    ...["xbzrle", "xbzrle.cacheSize", "xbzrle.overflow", "xbzrle.delta", "xbzrle.encode"],
    ...["multifd", "multifd.channels", "multifd.compression", "multifd.ratioPerMille", "multifd.queue"],
    ...["multifd.page", "multifd.zeroPage"],
    ...["postcopy", "postcopy.afterSyncs", "postcopy.place", "postcopy.fault", "maxSyncs"],
  ].map((key) => [`software.${key}`, "(of placement qemu, test/45-software-features.test.ts)"]),
);
/** Stages of the destination, and of the source, on hosts. */
export const THERE = "placement={ decrypt: host, decompress: host }";
export const SEALING = [
  "placement={ zero: host, compress: host, encrypt: host }",
  "internal.pages=vsock",
  "compress.engine=lz4-sw",
] as const;
export const ON_HOST = [
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

/** Rounds of more than a ms, in which as much is written. */
const TOO_FAST = [
  "tracker={ kind: dirty-ring, ring: 256 }",
  "migration.throttlePeriod=1 ms",
  "migration.maxRounds=6",
  "guest.generate.rate=3000000 /s",
  "link.rate=10 Gbit/s",
  "compress=off",
  ...BUSY,
] as const;

const SLOW_CODER = ["compress.engine=lz4-sw", "link.rate=25 Gbit/s"] as const;

/** Of the generated guest of the base scenario, and everything that is not a side's. */
export const KEYS: Readonly<Record<string, Other>> = {
  name: "(a name)",
  guests: "(in place of guest, which this base has; test/56-guests.test.ts)",
  "evacuation.order": "(of guests; test/56-guests.test.ts, test/56-evacuation.test.ts)",
  "guest.generate.memory": "8 MiB",
  "guest.generate.rate": ["20000 /s", ...BUSY],
  "guest.generate.workingSet": ["64 KiB", ...BUSY],
  "guest.generate.pattern": ["zipf", ...BUSY],
  "guest.generate.mix": "{ zero: 50, text: 50, random: 0 }",
  "guest.vcpus": ["3", ...BUSY],
  "guest.deviceState": "40 KiB",
  "guest.clock": ["wall", ...BUSY],
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
  "internal.scan.clear": "(write-zero breaks an invariant; test/58-card-scans)",
  "internal.scan.flush": "(none breaks an invariant; test/58-card-scans)",
  "internal.scan.words": ["2", ...SCANS],
  "internal.scan.tags": ["1", ...SCANS],
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
  "placement.preset": "(the name alone changes no number; test/23-systems.test.ts)",
  "placement.zero": "card-core",
  "placement.compress": ["card-core", "compress.engine=lz4-sw"],
  "placement.workers": ["3", ...ON_HOST],
  "placement.destinationWorkers": ["3", THERE],
  "placement.buffers": ["1", THERE],
  "placement.encrypt": "card-core",
  "placement.decrypt": "card-core",
  "placement.decompress": "card-core",
  ...SOFTWARE_SECTION,
  ...SOFTWARE_LIMITS,
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
  "compress.choose": ["throughput", ...SLOW_CODER],
  "compress.chooseEvery": ["16", "compress.choose=throughput", ...SLOW_CODER],
  "compress.handBack": ["charged", "compress.engine=bf2-deflate"],
  "compress.jobPages": "3",
  "compress.jobWait": ["1 us", "compress.jobPages=3"],
  encrypt: "off",
  "encrypt.cipher": "aes-256-gcm",
  "encrypt.engine": "gcm-cast-s",
  "encrypt.source": "gcm-cast-s",
  "encrypt.destination": "gcm-cast-s",
  "encrypt.decrypt": "{ demand: true }",
  "encrypt.decrypt.rate": ["none", SEALED],
  "encrypt.decrypt.resumeSet": ["all", SEALED],
  "encrypt.when": "before-request",
  "encrypt.ahead": ["100 us", "encrypt.when=before-request"],
  "encrypt.aheadRate": ["100 MB/s", "encrypt.when=before-request"],
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
  "migration.throttle": ["dirty-limit", ...TOO_FAST],
  "migration.throttleRate": ["100000", "migration.throttle=dirty-limit", ...TOO_FAST],
  "migration.throttlePeriod": ["2 ms", "migration.throttle=dirty-limit", ...TOO_FAST],
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
  "guest.reads": "(of a trace with READ chunks, which none of the shipped has: test/63-reads)",
  "guest.mix": "(of a trace without bodies, which none of the shipped is: test/12-trace-sampled)",
};
