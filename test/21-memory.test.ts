// SPDX-License-Identifier: Apache-2.0
// Memory that the core lays out: what a page costs, and that the largest stated guest fits.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { PAGE_BYTES } from "../assembly/abi.ts";
import { Core, coreModule } from "../src/core.ts";
import { setParams } from "../src/params.ts";
import { HEAD, resolveText } from "./lib/scenario.ts";

const MIB = 2 ** 20;
const GIB_PAGES = 2 ** 30 / PAGE_BYTES;

/** Bytes of wasm memory that a board for so many pages takes; nothing runs. */
function reserved(pages: number, content: string): number {
  const core = new Core(coreModule());
  setParams(core, resolveText(HEAD, { sets: [`content=${content}`] }), pages, null);
  assert.is(core.build(), 0);
  return core.u8.length;
}

/** Bytes a page of guests of 16 and 8 GiB (or MiB): what is the same for both falls away. */
function perPage(content: string, unitPages: number): number {
  return (reserved(16 * unitPages, content) - reserved(8 * unitPages, content)) / (8 * unitPages);
}

test("sized: 4 B each of version, placed version and content word, and 2 bits of marks a page", () => {
  // 3 x 4 + 2/8 = 12.25, dirty now and in this round; memory grows by 64 KiB, 65536 / (8 x 262144 pages)
  // = 0.03 B a page
  assert.ok(Math.abs(perPage("sized", GIB_PAGES) - 12.25) <= 0.0625, `${perPage("sized", GIB_PAGES)}`);
});

test("full: two images, two versions and a mark a page", () => {
  // 2 x 4096 + 2 x 4 + 1/8 = 8200.125; memory grows by 64 KiB, 65536 / (8 x 2560) = 3.2 B a page
  assert.ok(Math.abs(perPage("full", 2560) - 8200.125) <= 6.5, `${perPage("full", 2560)}`);
});

test("a guest of 64 GiB in sized takes less than 256 MiB of the core's memory", () => {
  // 2^24 pages x 12.125 B = 194 MiB, and what does not depend on the guest
  const bytes = reserved(64 * GIB_PAGES, "sized");
  assert.ok(bytes >= 194 * MIB && bytes < 256 * MIB, `${bytes / MIB} MiB`);
});

test.run();
