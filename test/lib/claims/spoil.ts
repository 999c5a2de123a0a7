// SPDX-License-Identifier: Apache-2.0
/**
 * Negative controls of docs/model.md section 11: what a run carries is spoilt while it goes on, and the run
 * must end with the invariant that speaks of it.
 */
import * as abi from "../../../assembly/abi.ts";
import { Core, coreModule } from "../../../src/core.ts";
import { type Result, simulate } from "../../../src/index.ts";
import { BOUNDS_HOLD, ROUNDS_FIT } from "../../../src/result/invariants.ts";
import { generated, inputOf, TICKS_PER_NS } from "../migrate.ts";
import { claim, same } from "./expect.ts";

const PFN = 7;
const JOB_PAGE = 1;
const RECORD_BYTES = 4096 + 32;

/** Pages of random bytes that stay raw, sealed, long under way. */
const RAW = {
  guest: generated(64, 0),
  compress: "off",
  link: { rtt: "200 us", window: "64 KiB" },
  migration: { downtimeLimit: "1 s" },
};

/** What a run says of an invariant: "held", both values, or nothing. */
function verdict(result: Result, name: string): string {
  const found = result.check.invariants.find((one) => one.name === name);
  if (found === undefined) return "not looked at";
  return found.held ? "held" : `broken: ${found.left} beside ${found.right}`;
}

/** Throws unless exactly this invariant broke; returns the values. */
function onlyBroken(what: string, result: Result, name: string): string {
  const broken = result.check.invariants.filter(({ held }) => !held).map((one) => one.name);
  same(`spoilt: ${what}: invariants broken`, broken.join(" ") || "none", name);
  return verdict(result, name);
}

/** Runs in slices of 20 us; `spoil` is told of the core after each, and says whether it has spoilt it. */
function spoilt(scenario: object, spoil: (core: Core) => boolean): { result: Result; core: Core } {
  const input = { ...inputOf(scenario), sliceTicks: 20_000n * TICKS_PER_NS };
  let times = 0;
  const result = simulate(input, () => {
    if (spoil(input.core)) times++;
  });
  claim("spoilt", times > 0, "nothing", "found");
  return { result, core: input.core };
}

/** `spoil` until it has done something. */
function once(spoil: (core: Core) => boolean): (core: Core) => boolean {
  let done = false;
  return (core) => {
    if (done) return false;
    done = spoil(core);
    return done;
  };
}

/** Address of the first place behind the static data that holds these bytes, at a word, and passes. */
function findBytes(core: Core, bytes: number[], passes: (word: number) => boolean): number | null {
  const memory = Buffer.from(core.u8.buffer, core.u8.byteOffset, core.u8.length);
  const wanted = Buffer.from(bytes);
  let at = memory.indexOf(wanted, core.address("sourceVersionsAt"));
  while (at >= 0 && !(at % 4 === 0 && passes(at >>> 2))) at = memory.indexOf(wanted, at + 1);
  return at >= 0 ? at : null;
}

const bytesOf = (...words: number[]): number[] => [...new Uint8Array(Uint32Array.from(words).buffer)];

/** A bit of a record flips between the cards: header | page | number | bytes, codec, kind | version |. */
export function checkFlippedBit(): void {
  const header = bytesOf((JOB_PAGE << 24) | abi.PAGE_BYTES, 0);
  const flip = once((core) => {
    const at = findBytes(core, header, (word) => core.u32[word - 2] === PFN);
    if (at !== null) core.u8[at + 8 + 1000]! ^= 0x10;
    return at !== null;
  });
  const { result, core } = spoilt(RAW, flip);
  same("spoilt: a bit of a record: status", result.migration.status, "failed");
  onlyBroken("a bit of a record", result, "record-authentic");
  const placed = core.u32[(core.address("placedVersionsAt") >>> 2) + PFN]!;
  same("spoilt: a bit of a record: version placed", placed, 0xffffffff);
}

/** A record's number comes again: | end u64 | number u64 | page | version | word | kind | bytes |. */
export function checkRepeatedNumber(): void {
  const repeat = once((core) => {
    const { u32 } = core;
    const at = findBytes(core, bytesOf(PFN, 0), (word) => {
      const [end, number] = [u32[word - 4]!, u32[word - 2]!];
      const raw = u32[word + 3] === JOB_PAGE && u32[word + 4] === abi.PAGE_BYTES;
      // the first page's record is number 1 or 2: a control record may go before
      return raw && (number === PFN + 1 || number === PFN + 2) && end >= (PFN + 1) * RECORD_BYTES;
    });
    if (at !== null) u32[(at >>> 2) - 2]! -= 1;
    return at !== null;
  });
  const { result } = spoilt({ ...RAW, content: "sized" }, repeat);
  onlyBroken("a record's number", result, "records-in-sequence");
}

/**
 * Does not converge: two rounds, 20,000 writes a second to 64 of 256 pages of 4 KiB against 100 Mbit/s: they
 * are all dirty again after the 21 ms that sending them takes.
 */
const ENDLESS = {
  guest: generated(256, 20_000, undefined, 64),
  compress: "off",
  encrypt: "off",
  link: { rate: "100 Mbit/s" },
  migration: { maxRounds: 2, downtimeLimit: "1 ms" },
};

/** The source's memory changes though the guest did not write: its bytes, then its version. */
export function checkSource(): void {
  const whole = spoilt(ENDLESS, () => true).result;
  same("spoilt: nothing: source-intact", verdict(whole, "source-intact"), "held");
  const inRound2 = (core: Core): boolean => core.logged(abi.L_ROUNDS) === 2n;
  // a page that the guest never writes: what it writes later would cover the fault
  const versions = (core: Core): Uint32Array =>
    core.u32.subarray(core.address("sourceVersionsAt") >>> 2).subarray(0, 256);
  const quiet = (core: Core): number => versions(core).indexOf(Math.min(...versions(core)));
  const flip = once((core) => {
    if (inRound2(core)) core.u8[core.address("sourceImageAt") + quiet(core) * abi.PAGE_BYTES + 99]! ^= 0xff;
    return inRound2(core);
  });
  const bytes = spoilt(ENDLESS, flip);
  const values = "broken: 1 pages differ beside 0";
  same("spoilt: source bytes", onlyBroken("source bytes", bytes.result, "source-intact"), values);
  const bump = once((core) => {
    if (inRound2(core)) versions(core)[quiet(core)]! += 1;
    return inRound2(core);
  });
  const version = spoilt(ENDLESS, bump);
  same("spoilt: source version", onlyBroken("source version", version.result, "source-intact"), values);
}

/** A core whose hardware is faster than its scenario says. */
class FasterCore extends Core {
  readonly #change: (core: Core) => void;
  constructor(change: (core: Core) => void) {
    super(coreModule("lean"));
    this.#change = change;
  }
  override build(): number {
    this.#change(this);
    return super.build();
  }
}

const PLAIN = { compress: "off", encrypt: "off" };
const SLOW_CARD = ["source.card.clock=250 MHz", "link.preset=ethernet-400g"];

/** Each bound, by a run that it limits on hardware of twice the rate. */
const FASTER: readonly [bound: string, scenario: object, sets: string[], change: (core: Core) => void][] = [
  [
    "link",
    { guest: generated(512, 0), ...PLAIN },
    ["link.rate=1 Gbit/s"],
    // 1 Gbit/s is 8,192,000 ticks a byte
    (core) => core.setGlobalParam(abi.G_NET_TICKS_NUM, 4_096_000),
  ],
  [
    "PCIe",
    { guest: generated(2048, 0), ...PLAIN },
    ["source.card.pcie.generation=1", "source.card.pcie.lanes=1"],
    (core) => {
      for (const key of [abi.S_PCIE_TICKS_PER_BYTE, abi.S_PCIE_DOWN_TICKS_PER_BYTE]) {
        for (const side of [0, 1]) core.setSideParam(side, key, 2_048_000);
      }
    },
  ],
  [
    "compressor",
    { guest: generated(2048, 0, { zero: 0, text: 100, random: 0 }) },
    [...SLOW_CARD, "compress.engines=1", "compress.pws=4"],
    (core) => core.setSideParam(0, abi.S_LZ_PWS, 8),
  ],
  [
    "AES-GCM",
    { guest: generated(2048, 0), compress: "off" },
    [...SLOW_CARD, "source.card.crypto.engines=1", "source.card.crypto.bitsPerCycle=128 bit/cycle"],
    (core) => {
      for (const side of [0, 1]) core.setSideParam(side, abi.S_GCM_BITS, 256);
    },
  ],
];

/** A run that is faster than its bounds allow says so; the same run as the scenario says does not. */
export function checkBounds(): void {
  for (const [bound, scenario, sets, change] of FASTER) {
    const core = new FasterCore(change);
    const result = simulate({ ...inputOf({ ...scenario, content: "sized" }, { sets }), core });
    // a link of twice the rate carries more in every round as well
    const broken = bound === "link" ? `${ROUNDS_FIT} ${BOUNDS_HOLD}` : BOUNDS_HOLD;
    onlyBroken(`the ${bound}'s rate`, result, broken);
    const honest = simulate(inputOf({ ...scenario, content: "sized" }, { sets }));
    same(`spoilt: not the ${bound}`, verdict(honest, "bounds-hold"), "held");
  }
}
