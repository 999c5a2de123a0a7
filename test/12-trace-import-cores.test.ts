// SPDX-License-Identifier: Apache-2.0
// Importers of images of a memory: raw images, ELF cores. Files are written by slow
// writers; what is read must be what was sent; damage must end in one line; the traces must migrate.
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { body, checkEpochs, imported, initialOf, refusal, survives, zero } from "./lib/import.ts";
import { PAGE, type SlowSegment, slowElf } from "./lib/reference/foreign.ts";

const image = fc.array(fc.nat(5), { minLength: 1, maxLength: 12 }).map((values) => values.map(body));

test("raw images: the first is the memory, each later one an epoch of the pages that differ", () => {
  const check = (first: Buffer[], changes: [number, number][][], epochUs: number | null): void => {
    const images = [first];
    for (const change of changes) {
      const next = [...images[images.length - 1]!];
      for (const [pfn, value] of change) next[pfn % next.length] = body(value);
      images.push(next);
    }
    const found = imported(
      "raw",
      images.map((pages) => Buffer.concat(pages)),
      { epochUs },
    );
    const expected = images.slice(1).map((pages, k) => ({
      endUs: (k + 1) * (epochUs ?? 1_000_000),
      pages: new Map(
        pages.flatMap((page, pfn) => (page.equals(images[k]![pfn]!) ? [] : [[pfn, page] as const])),
      ),
    }));
    checkEpochs(found, first, expected);
  };
  const changes = fc.array(fc.array(fc.tuple(fc.nat(11), fc.nat(5)), { maxLength: 6 }), {
    minLength: 1,
    maxLength: 4,
  });
  fc.assert(fc.property(image, changes, fc.constantFrom(null, 1, 20_000), check), { numRuns: 100 });
});

test("raw images that are cut, of another size, compressed or no raw images are refused", () => {
  const two = Buffer.concat([body(1), body(2)]);
  for (const cut of [0, 1, PAGE - 1, PAGE + 1, 2 * PAGE - 1]) {
    assert.match(
      refusal("raw", [two, two.subarray(0, cut)]),
      /^f1: offset \d+: the file (ends inside page \d|is empty)/,
    );
  }
  assert.match(
    refusal("raw", [two, two.subarray(0, PAGE)]),
    /has 4096 bytes, the first image 8192; all must be/,
  );
  const stream = Buffer.concat([Buffer.from("QEVM"), two]).subarray(0, 2 * PAGE);
  assert.match(refusal("raw", [stream, stream]), /import it as qemu-stream/);
  const packed = Buffer.concat([Buffer.of(0x28, 0xb5, 0x2f, 0xfd), two]).subarray(0, 2 * PAGE);
  assert.match(refusal("raw", [packed, packed]), /compressed; unpack it first/);
  assert.ok(survives("raw", [two, two]));
});

interface Core {
  readonly segments: SlowSegment[];
  /** Contents by page of the address. */
  readonly memory: Map<number, Buffer>;
}
/** Segments of one to three pages, some cut short in the file, with gaps. */
const core: fc.Arbitrary<Core> = fc
  .array(
    fc.record({
      gap: fc.nat(3),
      values: fc.array(fc.nat(5), { minLength: 1, maxLength: 3 }),
      kept: fc.nat(2),
    }),
    {
      minLength: 1,
      maxLength: 4,
    },
  )
  .map((parts) => {
    const memory = new Map<number, Buffer>();
    let page = 5;
    const segments = parts.map(({ gap, values, kept }) => {
      page += gap;
      const first = page;
      const bytes = Buffer.concat(values.map(body));
      const fileBytes = [bytes.length, 0, Math.floor(bytes.length / 2) + 100][kept]!;
      page += values.length;
      for (let at = 0; at < fileBytes; at += PAGE) {
        const held = bytes.subarray(at, Math.min(at + PAGE, fileBytes));
        memory.set(first + at / PAGE, Buffer.concat([held, Buffer.alloc(PAGE - held.length)]));
      }
      return {
        address: BigInt(first) * 4096n,
        bytes: bytes.subarray(0, fileBytes),
        memoryBytes: bytes.length,
      };
    });
    return { segments, memory };
  });

test("ELF cores: the pages in the files by address; one that a file does not have is zero in it", () => {
  const check = (cores: Core[], physical: boolean): void => {
    const files = cores.map(({ segments }) => slowElf([...segments].reverse(), physical));
    if (cores.some(({ memory }) => memory.size === 0)) {
      assert.match(refusal("elf", files), /no PT_LOAD segment with bytes/);
      return;
    }
    const found = imported("elf", files);
    const pages = [...new Set(cores.flatMap(({ memory }) => [...memory.keys()]))].sort((a, b) => a - b);
    const images = cores.map(({ memory }) => pages.map((page) => memory.get(page) ?? zero));
    const expected = images.slice(1).map((now, k) => ({
      endUs: (k + 1) * 1_000_000,
      pages: new Map(
        now.flatMap((page, pfn) => (page.equals(images[k]![pfn]!) ? [] : [[pfn, page] as const])),
      ),
    }));
    checkEpochs(found, images[0]!, expected);
    const mapping = found.trace.metadata.pfn_mapping as [number, number, string][];
    const named = mapping.flatMap(([, count, address]) =>
      Array.from({ length: count }, (_, k) => Number(address) / PAGE + k),
    );
    assert.equal(named, pages);
    assert.is(found.trace.metadata.addresses, physical ? "physical" : "virtual");
  };
  fc.assert(fc.property(fc.array(core, { minLength: 1, maxLength: 3 }), fc.boolean(), check), {
    numRuns: 100,
  });
});

test("ELF cores that are cut, or lie about their sizes, are one line", () => {
  const segments = [
    { address: 0x5000n, bytes: Buffer.concat([body(1), body(2)]), memoryBytes: 3 * PAGE },
    { address: 0x9000n, bytes: body(3), memoryBytes: PAGE },
  ];
  const file = slowElf(segments);
  assert.ok(survives("elf", [file]));
  for (let cut = 0; cut < 300; cut++) refusal("elf", [file.subarray(0, cut)]);
  for (const cut of [PAGE, 2 * PAGE, file.length - 1])
    assert.match(
      refusal("elf", [file.subarray(0, cut)]),
      /ends inside a segment: the segment at 0x[59]000 ends at/,
    );
  const at = 64 + 56;
  const set = (offset: number, value: bigint): Buffer => {
    const bytes = Buffer.from(file);
    bytes.writeBigUInt64LE(value, offset);
    return bytes;
  };
  const cases: [Buffer, RegExp][] = [
    [set(at + 40, 100n), /filesz 8192 is more than memsz 100/],
    [set(at + 32, 2n ** 63n), /filesz 9223372036854775808 is more than/],
    [set(at + 8, 2n ** 63n), /ends inside a segment/],
    [set(at + 16, 0x5001n), /does not begin at a page of 4096/],
    [set(at + 16, 0x8000n), /the segment at 0x9000 lies over the one before it/],
    [set(at + 16, 2n ** 64n - 4096n), /passes the last address/],
    [set(32, 2n ** 40n), /ends inside the program headers/],
    [slowElf([]), /no PT_LOAD segment/],
  ];
  for (const [bytes, reason] of cases) assert.match(refusal("elf", [bytes]), reason);
  const patch = (offset: number, value: number): Buffer => {
    const bytes = Buffer.from(file);
    bytes[offset] = value;
    return bytes;
  };
  assert.match(refusal("elf", [patch(16, 2)]), /e_type is 2; a core has 4/);
  assert.match(refusal("elf", [patch(4, 1)]), /64 bits, little endian/);
  assert.match(refusal("elf", [patch(54, 32)]), /e_phentsize is 32; it must be 56/);
  const flip = (where: number, change: number): void =>
    void survives("elf", [patch(where, file[where]! ^ change)]);
  fc.assert(fc.property(fc.nat(64 + 56 * 3 - 1), fc.integer({ min: 1, max: 255 }), flip), { numRuns: 300 });
});

test("the number of program headers may stand in section 0 (PN_XNUM)", () => {
  const plain = slowElf([{ address: 0x5000n, bytes: body(1), memoryBytes: PAGE }]);
  const many = Buffer.concat([plain, Buffer.alloc(64)]);
  many.writeUInt16LE(0xffff, 56);
  many.writeBigUInt64LE(BigInt(plain.length), 40);
  many.writeUInt32LE(2, plain.length + 44);
  assert.equal(initialOf(imported("elf", [many]).trace), initialOf(imported("elf", [plain]).trace));
  assert.match(refusal("elf", [many.subarray(0, plain.length)]), /ends inside section header 0/);
});

test.run();
