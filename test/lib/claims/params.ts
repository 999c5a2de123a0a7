// SPDX-License-Identifier: Apache-2.0
/** The parameter block that the core is given beside the one derived from presets and standards. */
import * as abi from "../../../assembly/abi.ts";
import { deriveParams, HARNESS_PARAMS } from "../reference/params.ts";
import { coreFor, guestText, paramsOf } from "../timeline.ts";
import { same } from "./expect.ts";

const GENERATIONS = [1, 2, 3, 4, 5];
const LANES = [1, 2, 4, 8, 16];
const SIZES = [128, 256, 512, 1024, 2048, 4096];

/** Names of constants by number: `G_` or `S_`. */
function namesOf(prefix: string): string[] {
  const names: string[] = [];
  for (const [name, value] of Object.entries(abi)) if (name.startsWith(prefix)) names[Number(value)] = name;
  return names;
}

const GLOBALS = namesOf("G_");
const SIDE = namesOf("S_");

/** Compares every parameter of both sides and of the run; `others` are other overrides to derive from. */
export function sameParams(what: string, sets: string[], others = sets): void {
  const text = guestText("1 MiB");
  const given = paramsOf(coreFor(text, sets, "lean").core);
  const derived = deriveParams(text, others);
  const compare = (where: string, names: string[], mine: number[], theirs: number[]): void => {
    same(`params: ${what}: how many of ${where}`, mine.length, theirs.length);
    for (const [i, value] of mine.entries()) {
      if (where === "run" && HARNESS_PARAMS.includes(i)) continue;
      same(`params: ${what}: ${where} ${names[i] ?? i}`, value, theirs[i]);
    }
  };
  compare("run", GLOBALS, given.global, derived.global);
  for (const side of [0, 1]) compare(`side ${side}`, SIDE, given.sides[side]!, derived.sides[side]!);
}

const PCIE_DOWN = "{at: 300 us, what: pcie-down, for: 2 ms, side: destination}";
const ENGINES = "{at: 7 us, what: engine-fails, unit: seal, engines: 2}";
const ENGINE_THERE = "{at: 1 s, what: engine-fails, unit: decompressor}";
const RESTART = "{at: 3 us, what: firmware-restart, side: destination, for: 9 ns, ram: lost}";
const SPOILT = "{at: 1 us, what: corrupt, records: 5}";
const LINK_DOWN = "{at: 1 ms, what: link-down, for: 3 us}";

const SELDOM = "{ rate: 9 /s, workingSet: 4 KiB }";

/** Values that are given, one group a row: each is converted in another way. */
export const PARAM_ROWS: readonly [what: string, sets: string[]][] = [
  ["defaults", []],
  [
    "engines that fail, restarts, records asked for again, a tracker on demand",
    [
      `faults=[${ENGINES}, ${ENGINE_THERE}, ${RESTART}, ${SPOILT}]`,
      "migration.onTagFailure=ask-again",
      "tracker.start=on-demand",
    ],
  ],
  ["hosts of Gen5", ["source.host=gen5-host", "destination.host=gen5-host", "link.preset=ethernet-400g"]],
  [
    "a host that is less than its card",
    ["generation=2", "lanes=4", "mps=128", "mrrs=256"].map((set) => `source.host.pcie.${set}`),
  ],
  [
    "a card that is less than its host",
    ["generation=1", "lanes=2", "mps=128", "mrrs=128"].map((set) => `source.card.pcie.${set}`),
  ],
  ["no data link layer, nothing coded", ["internal.dll=none", "compress=off", "encrypt=off"]],
  [
    "DLLPs as in pcie-bench's model, a card that takes bytes in more slowly",
    ["internal.dll=pciebench", "source.card.pcie.linkShare=960", "destination.card.pcie.linkShare=333"],
  ],
  [
    "an ACK for every packet, a card of another's numbers",
    ["internal.dll=ack-per-tlp", "source.card=nfp6000-e5", "destination.card=qdma-gen3x16"],
  ],
  [
    "an IOMMU of 4 KiB pages, four ways",
    ["internal.iommu=4KiB", "source.host.iommu.ways=4", "destination.host.iommu.serialWalks=no"],
  ],
  [
    "an IOMMU of super-pages, more ways than entries",
    [
      ...["internal.iommu=2MiB", "internal.jitter=on", "seed=9", "source.host=gen5-host"],
      ...["entries=24", "ways=64", "walkers=3", "walk=1 us", "recovery=2 ns", "readPerCompletion=3 ns"].map(
        (set) => `source.host.iommu.${set}`,
      ),
      "destination.host.memory.jitterMax=0 s",
    ],
  ],
  [
    "a translation cache of the card's",
    [
      ...[
        "internal.iommu=2MiB",
        "internal.ats=on",
        "internal.relaxedOrdering=on",
        "source.card.ats.entries=7",
      ],
      "destination.card.ats.requests=3",
    ],
  ],
  [
    "memory that others load, and their wait",
    [
      ...["internal.contention=on", "source.host.memory.load=437", "source.host.memory.sustained=801"],
      ...["source.host.memory.contention=1337", "source.host.memory.missAdder=57 ns"],
      "destination.host=gen5-host",
    ],
  ],
  [
    "post-copy, asked for alone for a while, then at a rate",
    [
      "migration.algorithm=postcopy",
      "migration.residual=on-demand",
      "migration.missing={ fault: 3 us, map: 777 ns, pushAfter: 3 ms, pushRate: 7 Gbit/s, ahead: 9 }",
    ],
  ],
  [
    "decryption that is put off, at a rate",
    ["encrypt.decrypt={ demand: true, rate: 3 Gbit/s, resumeSet: all }", "migration.missing={ ahead: 7 }"],
  ],
  ["decryption that is put off, as it is by default", ["encrypt.decrypt={ demand: true }"]],
  ["and without a rate or a set", ["encrypt.decrypt={ demand: true, rate: none, resumeSet: none }"]],
  ["encryption before the request", ["encrypt.when=before-request", "migration.startAt=3 ms"]],
  [
    "and its time, rate and room",
    [
      ...["when=before-request", "ahead=7 us", "aheadRate=3 Gbit/s"].map((set) => `encrypt.${set}`),
      ...["migration.startAt=1 ms", "source.card.dram.store=12345 B"],
    ],
  ],
  ["a threshold, and pushed after", ["migration.threshold=99", "migration.residual=after-resume"]],
  ["AES-256 at 2048 bit", ["encrypt.cipher=aes-256-gcm", "source.card.crypto.bitsPerCycle=2048 bit/cycle"]],
  [
    "a deeper pipeline",
    ["crypto.stagesPerRound=3", "crypto.ghashLatency=5 cycles", "crypto.tagCycles=7 cycles"].map(
      (set) => `destination.card.${set}`,
    ),
  ],
  [
    "rounds that share their hardware, a gap, records one at a time",
    [
      ...["bitsPerCycle=128 bit/cycle", "cyclesPerRound=4", "recordGap=9 cycles", "interleave=record"].map(
        (set) => `source.card.crypto.${set}`,
      ),
      ...["recordGap=5 cycles", "egress=admit"].map((set) => `destination.card.crypto.${set}`),
    ],
  ],
  [
    "clocks and rates that are no whole ticks",
    [
      ...["clock=333 MHz", "control.clock=700 MHz", "dram.bandwidth=51.2 GB/s"].map(
        (s) => `source.card.${s}`,
      ),
      "destination.card.clock=375 MHz",
      "source.host.memory.bandwidth=7 GB/s",
      "source.host.memory.copyRate=11 Gbit/s",
      "source.host.cpu.clock=2.1 GHz",
      "link.rate=7 Gbit/s",
      "link.rateCap=24 MiB/s",
    ],
  ],
  [
    "latency below both flights",
    [
      "source.host.memory.readLatency=10 ns",
      "source.host.memory.missAdder=0 s",
      "source.host.pcie.flight=333 ns",
    ],
  ],
  [
    "credits without a limit",
    ["source.host.pcie.phCredits=0", "source.host.pcie.pdCredits=0", "source.host.pcie.nphCredits=0"],
  ],
  ["no credits of the card's", ["source.card.pcie.phCredits=0", "destination.card.pcie.pdCredits=0"]],
  [
    "descriptors",
    [
      ...["dma.descriptorBatch=33", "dma.descriptorBytes=64", "dma.prefetchBatches=2", "pcie.mrrs=256"],
      ...["dma.stagingSram=130 KiB", "dma.readIssue=0 cycles", "dma.writeIssue=9 cycles", "dma.readQueues=5"],
      ...["dma.completionEvery=5", "dma.completionBytes=64"],
    ]
      .map((set) => `source.card.${set}`)
      .concat("destination.card.dma.ring=card"),
  ],
  ["tags of Gen5", ["source.host=gen5-host", "source.card.pcie.tags=768"]],
  [
    "the compressor",
    ["pws=8", "policy=coalesce", "engines=3", "setupCycles=5 cycles", "matchCap=36"].map(
      (s) => `compress.${s}`,
    ),
  ],
  [
    "narrow filters",
    ["zeroFilter.bytesPerCycle=60 B/cycle", "scanner.wordsPerCycle=3"].map((s) => `source.card.${s}`),
  ],
  [
    "the guest and the stop",
    [
      ...["guest.vcpus=7", "guest.clock=wall", "guest.deviceState=5 KiB", "tracker.kind=bitmap", "seed=77"],
      ...["migration.startAt=3 ms", "migration.timeout=2 s", "migration.onTimeout=force"],
      ...["migration.downtimeLimit=20 us", "migration.maxRounds=4", "content=sampled", "sampleEvery=9"],
    ],
  ],
  [
    "a dirty ring, and what bringing it in costs",
    [
      ...["tracker.kind=dirty-ring", "tracker.ring=128"],
      ...["logExit=3 us", "logEntry=7 ns"].map((set) => `source.host.tracker.${set}`),
    ],
  ],
  ["deltas", [...["cache=5 MiB", "width=24 B/cycle", "most=1000"].map((set) => `delta.xbzrle.${set}`)]],
  ["deltas, as they are by default", ["delta={ xbzrle: {} }"]],
  ["page modification logging", ["tracker.kind=pml"]],
  ["marks that are cleared late", ["tracker.order=clear-after-read"]],
  [
    "a device and a ring of its records",
    [
      "guest.devices=[{ name: nic, writes: { rate: 7 /s, workingSet: 8 KiB } }]",
      "tracker.devices=wilson-ring",
      "tracker.records={ slots: 64, bytes: 32, order: before-data, full: spill, poll: 3 us }",
      ...["examine=77 ns", "record=3 ns"].map((set) => `source.host.tracker.${set}`),
    ],
  ],
  [
    "two devices and the IOMMU's bits",
    [
      `guest.devices=[${["a", "b"].map((name) => `{ name: ${name}, writes: ${SELDOM} }`)}]`,
      ...["tracker.devices=iommu-dirty-bits", "internal.iommu=4KiB"],
      ...["iommuEntryCycles=7 cycles", "iommuClear=3 ns", "iotlbFlush=1 us"].map(
        (set) => `source.host.tracker.${set}`,
      ),
    ],
  ],
  ["pages in groups, by a counter", ["tracker.group=8", "tracker.groups=counter"]],
  ["interrupts that are held", ["internal.interrupts={ every: 7 us }"]],
  ["two interrupts at a time", ["internal.interrupts={ after: 2 }"]],
  [
    "a switch that pauses the port",
    ["link.congestion=reno", "link.bottleneck=3 Gbit/s", "link.buffer=200 kB", "link.pause=on"],
  ],
  [
    "a switch with marks of its own",
    [
      ...["link.congestion=cubic", "link.bottleneck=3 Gbit/s", "link.rate=25 Gbit/s", "link.mtu=1500"],
      "link.pause={ high: 90 kB, low: 1 kB, hop: 77 ns, quanta: 300 }",
    ],
  ],
  [
    "the links",
    [
      ...["link.window=64 KiB", "link.rtt=33 us", "link.mtu=1499"],
      ...[
        "link.arbitration=weighted",
        "link.weights.state=5",
        "internal.pages=vsock",
        "internal.addresses=runs",
      ],
    ],
  ],
  [
    "spoilt packets, other I/O of both cards, links that go down, UDP",
    [
      ...["internal.bitErrorRate=0.000001", "internal.ecrc=on", "link.transport=udp", "link.loss=0.01"],
      "tenant={op: readwrite, size: 1500 B, window: 1 MiB, workers: 6, every: 3 us, tags: 12}",
      ...["start=38 ns", "tagHold=75 ns", "copyPerKiB=148 ns", "issue=2 ns", "writeFloor=21 ns"].map(
        (set) => `source.card.engine.${set}`,
      ),
      ...["burst=512 B", "burstGap=5 ns", "memoryPerKiB=2500 ns"].map(
        (set) => `destination.card.engine.${set}`,
      ),
      `faults=[${PCIE_DOWN}, ${LINK_DOWN}]`,
    ],
  ],
  [
    "vCPUs that sleep, AtomicOps",
    [
      "tracker={kind: dirty-ring, ring: 512}",
      ...["throttle=dirty-limit", "throttleRate=77", "throttlePeriod=3 ms"].map((set) => `migration.${set}`),
      "tenant={op: fetch-add, size: 8 B}",
      "source.host.memory.atomicAdder=33 ns",
    ],
  ],
  [
    "other I/O of one card, with what it does not say",
    [
      "tenant={side: destination, op: cas, size: 4 B}",
      "faults=[{at: 1 us, what: pcie-down, for: 1 ns, side: source}]",
    ],
  ],
  [
    "the front-end",
    [
      ...[
        "vsock.messageCost=3 us",
        "frontend.suspend=1 us",
        "frontend.resume=2 us",
        "frontend.interrupt=4 us",
      ],
      ...["frontend.deviceStatePerKiB=5 ns", "tracker.writeFault=6 us", "tracker.scanWordCycles=5 cycles"],
      ...["tracker.protectPage=7 ns", "tracker.tlbFlush=8 us"],
    ].map((set) => `source.host.${set}`),
  ],
  [
    "stages of pages on cores of the cards",
    [
      "placement={ zero: card-core, compress: card-core, encrypt: card-core, decrypt: card-core }",
      ...["compress.engine=lz4-sw", "encrypt.cipher=aes-256-gcm", "source.card.stages.gcmPerKiB=1537 cycles"],
    ],
  ],
  ["a choice of compression, its looks seldom", ["compress={ choose: throughput, chooseEvery: 999 }"]],
  ["a choice of compression, as it is by default", ["compress.choose=throughput"]],
  [
    "pages handed back by an engine that cannot store, in jobs that are copied",
    [...["compress={ engine: bf2-deflate, handBack: charged, jobPages: 3, jobWait: 7 us }"], "content=sized"],
  ],
  [
    "jobs as long as an engine needs, handed back when they are not",
    ["compress={ engine: qat-gen4-zstd, handBack: charged, jobPages: 2 }", "content=sized"],
  ],
  ["ciphers of a preset", ["encrypt.engine=macsec-100g"]],
  [
    "ciphers of two presets, with rounds that share their hardware, and without back-pressure",
    ["encrypt.source=gcm-cast-s", "encrypt.destination=hsc-400g", "encrypt.cipher=aes-256-gcm"],
  ],
  [
    "records decoded on cores, a host whose cores are counted",
    ["placement={ decompress: card-core }", "source.host.cpu.cores=7", "destination.host.cpu.cores=3"],
  ],
  [
    "pages coded by an engine beside the CPU",
    [
      "placement={ zero: host, compress: host-engine, workers: 3 }",
      ...["internal.pages=vsock", "compress.engine=qat-gen4", "content=sized"],
      ...["source.host.cpu.clock=2.7 GHz", "source.host.stages.job=11 cycles"],
    ],
  ],
];

/** Every parameter for every generation, width and MPS of the PCIe link. */
export function checkLinkParams(): void {
  for (const generation of GENERATIONS) {
    for (const lanes of LANES) {
      for (const mps of SIZES) {
        const link = (part: string): string[] => [
          `source.${part}.pcie.generation=${generation}`,
          `source.${part}.pcie.lanes=${lanes}`,
          `source.${part}.pcie.mps=${mps}`,
        ];
        const sets = [...link("host"), ...link("card")];
        sameParams(`Gen${generation} x${lanes} MPS ${mps}`, sets);
        const filled = ["internal.dll=pciebench", "source.card.pcie.linkShare=960"];
        sameParams(`Gen${generation} x${lanes} MPS ${mps}, pcie-bench`, [...sets, ...filled]);
      }
    }
  }
}

/** All of it. */
export function checkParams(): void {
  for (const [what, sets] of PARAM_ROWS) sameParams(what, sets);
  checkLinkParams();
}
