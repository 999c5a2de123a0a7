// SPDX-License-Identifier: Apache-2.0
/** Suite `intel`: what vendors of FPGAs publish of their hard blocks, beside links with an ideal engine. */
import { ask, type IdealLink, idealSide, presetSide } from "./pcie-side.ts";
import { type Measured, type Point, point, type Suite } from "./types.ts";

const NAME = "intel";
const AN690 = "Intel AN690 683824, Arria 10 Gen3 x8, 256 bit at 250 MHz";

const link = (generation: number, lanes: number): IdealLink => ({
  generation,
  lanes,
  mps: 256,
  mrrs: 512,
  combineAbove: 256,
});

/** Data bytes a second of an ideal engine, both directions together, in GB/s. */
function ideal(of: IdealLink, op: "read" | "write" | "readwrite", size: number): number {
  const asked = { side: idealSide(of), op, size, stride: 4096, window: 65536, depth: 64, operations: 20_000 };
  return ask(asked).bandwidthBitsPerSecond / 8e9;
}

function make(m: Omit<Measured, "suite" | "unit">): Point {
  return point({ suite: NAME, unit: "GB/s", ...m });
}

/** The suite. */
export const intel: Suite = {
  name: NAME,
  title: "figures of FPGA vendors",
  limits: [
    "AN690's figures are of 142 clocks and an engine that never waits; XDMA's are taken through a driver.",
    "Reads of XDMA (8.5 to 9.6 GB/s) are below what the link allows, by its driver; they are reported only.",
  ],
  *points() {
    const percent = (value: number): Measured["tolerance"] => ({ kind: "percent", value });
    const gen3 = link(3, 8);
    yield make({
      id: "B31",
      quantity: "posted writes of 256 B, Gen3 x8",
      expected: 7.1,
      simulated: ideal(gen3, "write", 256),
      tolerance: percent(3),
      source: AN690,
    });
    yield make({
      id: "B32",
      quantity: "completions, Gen3 x8",
      expected: 7.0,
      simulated: ideal(gen3, "read", 512),
      tolerance: percent(5),
      source: AN690,
    });
    yield make({
      id: "B33",
      quantity: "reads and writes at a time, each direction, Gen3 x8",
      expected: 6.4,
      simulated: ideal(gen3, "readwrite", 4096) / 2,
      tolerance: percent(8),
      source: `${AN690}; with descriptors, which the model's engine has none of here`,
    });
    const qdma = presetSide("gen5-host", "qdma-gen3x16");
    const dma = (op: "read" | "write"): number => {
      const answer = ask({ side: qdma, op, size: 4096, window: 2 ** 20, depth: 192, operations: 10_000 });
      return answer.bandwidthBitsPerSecond / 8e9;
    };
    const xdma = "AMD Vitis tutorial, xbutil on an Alveo card, Gen3 x16";
    yield make({
      id: "B34:write",
      quantity: "XDMA card to host, Gen3 x16",
      expected: 12.15,
      simulated: dma("write"),
      tolerance: percent(20),
      source: xdma,
    });
    yield make({
      id: "B34:read",
      quantity: "XDMA host to card, Gen3 x16: 8.5 to 9.6",
      expected: 9.05,
      simulated: dma("read"),
      tolerance: { kind: "report" },
      source: xdma,
    });
    yield make({
      id: "B35",
      quantity: "2 x XDMA, Gen4 x8, one direction: 22 to 25, +-15 %",
      expected: 23.5,
      simulated: 2 * ideal(link(4, 8), "write", 256),
      tolerance: { kind: "range", from: 18.7, to: 28.75 },
      source: "Alpha Data, Ryzen X570",
    });
  },
};
