// SPDX-License-Identifier: Apache-2.0
/** The validation suites: one file each, loaded when it is asked for. */
import type { Suite } from "./types.ts";

type Loader = () => Promise<Suite>;

/** In the order of docs/validation.md. */
const LOADERS: Readonly<Record<string, Loader>> = {
  "pcie-model": async () => (await import("./pcie-model.ts")).pcieModel,
  "pcie-bench": async () => (await import("./pcie-bench.ts")).pcieBench,
  intel: async () => (await import("./intel.ts")).intel,
  codec: async () => (await import("./codec.ts")).codec,
  ethernet: async () => (await import("./ethernet.ts")).suite,
  tcp: async () => (await import("./tcp.ts")).suite,
  qemu: async () => (await import("./qemu.ts")).suite,
  host: async () => (await import("./host.ts")).suite,
};

/** Names of the suites. */
export const suiteNames: readonly string[] = Object.keys(LOADERS);

/** Loads a suite by name; undefined when there is none. */
export async function loadSuite(name: string): Promise<Suite | undefined> {
  return LOADERS[name]?.();
}
