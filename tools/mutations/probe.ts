// SPDX-License-Identifier: Apache-2.0
// Root complex, IOMMU, other I/O, and the data link layers of a PCIe probe.
import type { Row } from "./row.ts";

const REFERENCE = "second implementation";

/** Of the core: file, name, text, text instead; all are noticed by the reference model. */
const CORE: readonly [file: string, name: string, find: string, replace: string][] = [
  ["kernel/root", "the other socket is as near", "let t = served + r.remoteAdder;", "let t = served;"],
  ["kernel/root", "cached lines miss", "(line >> 32)) < r.missShare)", "(line >> 32)) >= r.missShare)"],
  [
    "kernel/root",
    "a miss depends on bytes in a line",
    "const line = address >> 6;",
    "const line = address >> 5;",
  ],
  [
    "kernel/root",
    "with relaxed ordering nobody waits for a translation",
    "  if (arrival + wait + service > landed) landed = arrival + wait + service;\n",
    "",
  ],
  [
    "kernel/way",
    "an operation has landed with its last write",
    "  if (load<u64>(group) > at) at = load<u64>(group);\n",
    "",
  ],
  [
    "kernel/dllp",
    "credits of writes that pass come back in order of arrival",
    "  if (r == w.freedP) ringPlace(r, at, headers, units);",
    "  if (units == 0xffffffff) ringPlace(r, at, headers, units);",
  ],
  ["kernel/atc", "the ATC keeps what was asked for first", "      store<u64>(at, a.lookups, 8);\n", ""],
  [
    "kernel/atc",
    "every miss of a page asks again",
    "      fresh = false;",
    "      fresh = load<u64>(at, 16) == NEVER;",
  ],
  [
    "kernel/port",
    "who waits for a translation goes when it was put",
    "      e.ready = ready > t ? ready : t;",
    "      e.ready = ready;",
  ],
  [
    "kernel/root",
    "a translation request needs no walk",
    "r.walked = arrival + translate(",
    "r.walked = arrival + 0 * translate(",
  ],
  [
    "kernel/root",
    "translated requests are translated again",
    "<u32>(hasIommu(side) && p(side, S_ATS_ENTRIES) == 0)",
    "<u32>hasIommu(side)",
  ],
  [
    "kernel/root",
    "a loaded memory never saturates",
    "(r.contention * r.rho) / (65536 - r.rho)",
    "(r.contention * r.rho) / 65536",
  ],
  ["kernel/root", "a card does not load memory itself", "? r.moved : 0;", "? 0 : 0;"],
  [
    "kernel/root",
    "writes do not load memory",
    "  if (r.contention != 0) contended(r, bytes, arrival);\n",
    "",
  ],
  ["kernel/root", "jitter is drawn once", "mix(r.seed, r.drawn++)", "mix(r.seed, r.drawn)"],
  ["kernel/root", "reads are not translated", "    t += r.waited;\n", ""],
  [
    "kernel/root",
    "a header credit is free before its translation",
    "return startOf(side * 2) + root(side).waited;",
    "return startOf(side * 2);",
  ],
  [
    "kernel/root",
    "writes are not translated",
    "admit(side * 2 + 1, arrival + wait, bytes)",
    "admit(side * 2 + 1, arrival + 0 * wait, bytes)",
  ],
  ["kernel/iommu", "oldest out, not least recently used", "      store<u64>(at, m.clock, 8);\n", ""],
  [
    "kernel/iommu",
    "a hit does not wait for the walk",
    "return there > arrival ? there - arrival : 0;",
    "return 0;",
  ],
  ["kernel/iommu", "one set", "<usize>(page % m.sets)", "<usize>(page % 1)"],
  [
    "kernel/iommu",
    "one way",
    "for (let i: u32 = 0; i < m.ways; i++) {",
    "for (let i: u32 = 0; i < 1; i++) {",
  ],
  ["kernel/iommu", "super-pages of 4 KiB", "address >> m.pageLog", "address >> 12"],
  [
    "kernel/iommu",
    "one walker",
    "for (let i: u32 = 1; i < m.walkers; i++) {",
    "for (let i: u32 = 1; i < 1; i++) {",
  ],
  [
    "kernel/iommu",
    "walkers do not recover",
    "store<u64>(first, from + m.walk + m.recovery +",
    "store<u64>(first, from + m.walk +",
  ],
  ["kernel/iommu", "reads give walkers back at once", " + spanTicks(bytes, m.readNum, m.readDen));", ");"],
  [
    "kernel/iommu",
    "walks of one table overlap",
    "    if (load<u64>(table) > from) from = load<u64>(table);\n",
    "",
  ],
  ["kernel/iommu", "every page has a table of its own", "(page >> TABLE_LOG) &", "page &"],
  [
    "kernel/port",
    "completions do not pass each other",
    "index == DOWN_COMPLETION ? place(q, ready) : entry(q, q.count)",
    "entry(q, q.count)",
  ],
  [
    "kernel/port",
    "equal completions change places",
    "entry(q, at - 1).ready > ready",
    "entry(q, at - 1).ready >= ready",
  ],
  ["kernel/dllp", "an ACK covers all", "    if (w.dll == DLL_ACK_PER_TLP) break;\n", ""],
  [
    "kernel/way",
    "both directions take bytes in alike",
    "dir == UP ? S_PCIE_TICKS_PER_BYTE : S_PCIE_DOWN_TICKS_PER_BYTE",
    "S_PCIE_TICKS_PER_BYTE",
  ],
  ["kernel/way", "data is always filled up", "p32(side, S_PCIE_UNPADDED) != 0 ? 0 : 3", "3"],
  [
    "board-wiring",
    "no room for writes that wait for walks",
    "const writes = underWay + untranslated(side) + words;",
    "const writes = underWay;",
  ],
  [
    "card/tenant",
    "answers so far end a read",
    "left == 0 && index != channel(side, READS).current",
    "left == 0",
  ],
  [
    "kernel/tags",
    "tags in turn are not waited for",
    "if (tag(side, load<u32>(q.list + (ring << 2))).used == 0) return ring;",
    "if (q.free != 0) return ring;",
  ],
  [
    "kernel/tags",
    "completions that reads wait for are cut at RCB always",
    "bytes <= p32(side, S_PCIE_COMBINE_ABOVE) ? p32(side, S_PCIE_RCB) : p32(side, S_PCIE_MPS)",
    "p32(side, S_PCIE_RCB)",
  ],
  ["card/tenant", "a tag is on the link at once", "t + p(side, S_TEN_TAG) + byte", "t + byte"],
  ["card/tenant", "a read's copy takes no time", "ended(side, n, at, t + copy)", "ended(side, n, at, t)"],
  [
    "card/tenant",
    "a kind is taken before its turn",
    "c.taken > channel(side, 1 - kind).taken",
    "c.taken > channel(side, 1 - kind).taken + 1",
  ],
  ["card/tenant", "no gap between operations", "  n.gapFree = t + p(side, S_TEN_GAP);\n", ""],
  ["card/tenant", "no floor between writes", "c.opFree = t + p(side, S_TEN_FLOOR);", "c.opFree = t;"],
  ["card/tenant", "no gap after a burst", "  if (free > c.issueFree) c.issueFree = free;\n", ""],
  ["card/tenant", "requests at once", "c.issueFree = t + p(side, S_TEN_ISSUE);", "c.issueFree = t;"],
  ["card/tenant", "a request crosses a page", "  if (bytes > toPage) bytes = toPage;\n", ""],
  ["card/tenant", "places in turn", "random ? spread(", "random && places == 0 ? spread("],
  ["card/tenant", "headers of an aligned read", "(((<u32>address) & (n.rcb - 1)) + bytes", "(bytes"],
  [
    "card/tenant",
    "half of a completion buffer",
    "if (!bufferFits(side, R_TENANT, bytes, headers))",
    "if (!bufferFits(side, R_TENANT, 2 * bytes, headers))",
  ],
];

/** Of the harness. */
const HARNESS: readonly Row[] = [
  [
    "params",
    "src/params-pcie",
    "pcie-bench's model without UpdateFC",
    "return 1 - 16 / limitSymbols - 4 / 1538;",
    "return 1 - 8 / limitSymbols - 4 / 1538;",
    "parameters",
  ],
  [
    "params",
    "src/params-pcie",
    "the card's share in both directions",
    "wireTicksPerByte(pcie, dll, 1000));",
    "wireTicksPerByte(pcie, dll, pcie.linkSharePerMille));",
    "parameters",
  ],
  [
    "params",
    "src/params-pcie",
    "sets of an IOMMU that is smaller than its ways",
    "Math.max(1, Math.floor(iommu.entries / iommu.ways))",
    "Math.floor(iommu.entries / iommu.ways)",
    "parameters",
  ],
  [
    "params",
    "src/params-pcie",
    "SKPs where there are none",
    "p(abi.S_PCIE_SKP_PERIOD, skips ? period : 0);",
    "p(abi.S_PCIE_SKP_PERIOD, period);",
    "parameters",
  ],
  [
    "probe",
    "src/params-pcie",
    "jitter below the median",
    "    [0.5, minTicks],\n",
    "    [0.4, minTicks],\n",
    "second implementation of a probe",
  ],
  [
    "probe",
    "src/probe/pcie",
    "what is cached misses",
    "Math.round((1 - cached) * 2 ** 32)",
    "Math.round(cached * 2 ** 32)",
    "sums by hand",
  ],
];

export const probe: readonly Row[] = [
  ...CORE.map(([file, name, find, replace]): Row => ["probe", file, name, find, replace, REFERENCE]),
  ...HARNESS,
];
