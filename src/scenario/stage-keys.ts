// SPDX-License-Identifier: Apache-2.0
/** What a stage of a page costs a core that does it in software (docs/model.md section 18). */
import type { Values } from "./fill.ts";
import type { KeySpec, KeyTable } from "./keys.ts";
import type { ResolvedStages } from "./types-placement.ts";

function cycles(text: string): KeySpec {
  return { measure: "cycles", min: 0, max: 1_000_000, text };
}

/** Keys of the cores of a card, and of a host. */
export const STAGE_KEYS: KeyTable = {
  "stages.job": cycles("a stage in software: a page or record taken, and handed on"),
  "stages.zeroPerKiB": cycles("the zero filter in software, a KiB that is looked at"),
  "stages.lz4PerKiB": cycles("liblz4, a KiB of a page that is coded"),
  "stages.lz4RawPerKiB": cycles("liblz4, a KiB of a page that does not shrink and stays raw"),
  "stages.unlz4PerKiB": cycles("liblz4's decoder, a KiB that it makes"),
  "stages.gcmPerKiB": cycles("AES-128-GCM in software, a KiB of a record; AES-256-GCM 14/10 of it"),
};

/** What a core of a card, or of a host, needs for a stage. */
export function fillStages(values: Values): ResolvedStages {
  const whole = (key: string): number => values.whole(`stages.${key}`);
  return {
    jobCycles: whole("job"),
    zeroPerKibCycles: whole("zeroPerKiB"),
    lz4PerKibCycles: whole("lz4PerKiB"),
    lz4RawPerKibCycles: whole("lz4RawPerKiB"),
    unlz4PerKibCycles: whole("unlz4PerKiB"),
    gcmPerKibCycles: whole("gcmPerKiB"),
  };
}
