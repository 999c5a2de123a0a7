// SPDX-License-Identifier: Apache-2.0
/** The compiled core: the one who knows `build/`. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

export { Core } from "./core-instance.ts";

/**
 * Builds of the core: the same model. `instrumented` adds the timeline ring, `naive` is the oracle's
 * scheduler.
 */
export type Variant = "lean" | "instrumented" | "debug" | "naive";

const FILES: Readonly<Record<Variant, string>> = {
  lean: "core.wasm",
  instrumented: "core.instrumented.wasm",
  debug: "core.debug.wasm",
  naive: "core.naive.wasm",
};

/** The wasm's bytes of a variant. DPUSIM_CORE_WASM names another file, for mutation tests. */
export function coreBytes(variant: Variant = "lean"): Uint8Array {
  const other = process.env.DPUSIM_CORE_WASM;
  if (other !== undefined && variant === "lean") return readFileSync(other);
  for (const up of ["../build/", "../../build/"]) {
    try {
      return readFileSync(fileURLToPath(new URL(up + FILES[variant], import.meta.url)));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
  }
  throw new Error(`build/${FILES[variant]} is missing: run "npm run build"`);
}

const compiled = new Map<string, WebAssembly.Module>();

/** The compiled module of a variant; compiled once a process. */
export function coreModule(variant: Variant = "lean"): WebAssembly.Module {
  const key = `${variant} ${process.env.DPUSIM_CORE_WASM ?? ""}`;
  let module = compiled.get(key);
  if (module === undefined) {
    module = new WebAssembly.Module(coreBytes(variant) as Uint8Array<ArrayBuffer>);
    compiled.set(key, module);
  }
  return module;
}
