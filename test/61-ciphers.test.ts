// SPDX-License-Identifier: Apache-2.0
// Cipher presets in a migration: each beside the slow engines, what limits, and what is refused.
import { test } from "uvu";
import * as assert from "uvu/assert";
import * as abi from "../assembly/abi.ts";
import { presetsCommand } from "../src/cli/presets.ts";
import { Core, coreModule } from "../src/core.ts";
import { presetNames } from "../src/scenario/presets.ts";
import { samePresetSeals } from "./lib/claims/seal.ts";
import { migrate } from "./lib/migrate.ts";
import { near, RANDOM, runOf, starts, steady } from "./lib/rates.ts";
import { HEAD, linesOf, resolveText } from "./lib/scenario.ts";

const core = new Core(coreModule());
const CIPHERS = presetNames("cipher");

// a card whose edges are no multiple of the engines', one that is slower than they, and one that is faster
for (const clock of ["1 GHz", "250 MHz", "700 MHz"]) {
  test(`the core's engines of every preset and the slow ones, on a card of ${clock}`, () => {
    for (const name of CIPHERS) samePresetSeals(name, clock, core);
  });
}

const RAW = ["compress=off", "source.host=gen5-host", "link.rate=400 Gbit/s"];

// clocks of a record of 4096 bytes with AES-256: (words of header, payload, lengths) x clocks of a block
for (const [name, clocks, hertz] of [
  ["gcm-cast-s", (1 + 256 + 1) * 60, 500e6],
  ["gcm-cast-f", (1 + 256 + 1) * 15, 500e6],
  ["gcm-cast-x", 1 + 256 + 1, 500e6],
  ["gcm-cast-x2", 1 + 128 + 1, 500e6],
  ["macsec-100g", 1 + 128 + 1, 468.75e6],
] as const) {
  test(`${name} is what limits: a page in ${clocks} of its clocks, whatever the card's clock is`, () => {
    for (const clock of ["1 GHz", "300 MHz"]) {
      const sets = [...RAW, `encrypt.engine=${name}`, "encrypt.cipher=aes-256-gcm"];
      const run = runOf(RANDOM, [...sets, `source.card.clock=${clock}`], "2 MiB");
      // the end is seen at the card's next edge
      const edge = clock === "1 GHz" ? 1e-9 : 1e-8 / 3;
      const span = Math.ceil(clocks / hertz / edge - 1e-6) * edge;
      near(steady(starts(run, 0, abi.U_SEAL)), 1e-6 / span);
    }
  });
}

const GUEST = { generate: { memory: "4 MiB", rate: "0 /s", workingSet: "4 KiB", mix: { random: 100 } } };

function totalNs(...sets: string[]): number {
  return migrate({ guest: GUEST, content: "sized", compress: "off" }, { sets }).migration.phases.precopyNs!;
}

test("a slow cipher of either card limits the migration; the control: the cards' own do not", () => {
  const own = totalNs();
  // ns of 256 + 2 blocks, each 44 clocks of 500 MHz with AES-128
  const span = (258 * 44) / 0.5;
  for (const side of ["source", "destination"]) {
    const slow = totalNs(`encrypt.${side}=gcm-cast-s`);
    near(slow, 1024 * span);
    assert.ok(slow > 10 * own, `${side}: ${slow} and ${own} ns`);
  }
  // an engine for both, and the card's own again on either side
  const both = totalNs("encrypt.engine=gcm-cast-s");
  assert.is(totalNs("encrypt.source=gcm-cast-s", "encrypt.destination=gcm-cast-s"), both);
  const back = ["encrypt.engine=gcm-cast-s", "encrypt.source=card", "encrypt.destination=card"];
  assert.is(totalNs(...back), own);
});

test("engines that are the card's, on its clock: the same run, to the tick", () => {
  const sets = (...more: string[]) => ({ sets: ["content=sized", ...more] });
  const own = migrate({ guest: GUEST }, sets("encrypt.engine=card"));
  const same = migrate({ guest: GUEST }, sets("encrypt.engine=dpu-ref"));
  assert.is(own.fingerprint, same.fingerprint);
  const carried = migrate({ guest: GUEST }, { sets: ["encrypt.engine=macsec-100g"] });
  assert.equal([carried.check.pagesDifferent, carried.check.invariants.every((one) => one.held)], [0, true]);
});

test("numbers of a card's engines are taken where a preset stands beside, and not in their place", () => {
  const three = "source.card.crypto.engines=3";
  const enginesOf = (...sets: string[]): number[] => {
    const { source, destination } = resolveText(HEAD, { sets }).sides;
    return [source.card.crypto.engines, destination.card.crypto.engines];
  };
  // a destination that is as the source has its own engines, of a card that says three
  const [preset, own] = enginesOf("encrypt.source=gcm-cast-s");
  assert.is.not(preset, 3);
  assert.equal(enginesOf(three, "encrypt.source=gcm-cast-s"), [preset, 3]);
  assert.equal(enginesOf(three, "encrypt.destination=gcm-cast-s"), [3, preset]);
  assert.equal(enginesOf(three, "encrypt.destination=gcm-cast-s", "destination.card=dpu-ref"), [3, preset]);
  assert.equal(enginesOf("encrypt.destination=gcm-cast-s"), [own, preset]);
  // a destination that an override makes of the source's card has a copy of what is written there
  const copied = [three, "destination.card.dma.ring=host"];
  assert.equal(enginesOf(...copied, "encrypt.destination=gcm-cast-s"), [3, preset]);
  assert.equal(enginesOf(...copied, "encrypt.source=gcm-cast-s"), [preset, 3]);
  // of encoders the depth of the pipeline is the card's
  const { compressor } = resolveText(HEAD, {
    sets: ["compress.engine=vitis-lz4-8e", "source.card.compressor.fillLatency=50 cycles"],
  }).sides.source.card;
  assert.is(compressor.fillLatencyCycles, 50);
});

test("a card without a cipher takes a preset's; presets of ciphers are shown", () => {
  const bf2 = ["source.card=bluefield2-like", "compress=off"];
  const lines = linesOf(() => resolveText(HEAD, { sets: bf2 }));
  assert.match(lines[0]!, /encrypt: the source card has no engine for it/);
  const { sides } = resolveText(HEAD, { sets: [...bf2, "encrypt.engine=macsec-100g"] });
  assert.is(sides.source.card.crypto.engines, 1);
  for (const name of CIPHERS) assert.match(presetsCommand(name), new RegExp(`cipher ${name}: `));
});

test.run();
