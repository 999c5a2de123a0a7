// SPDX-License-Identifier: Apache-2.0
import type { Ratio, ResolvedCard } from "./types.ts";

/** What stages of pages cost the cores of a card or a host that do them in software; cycles of a core. */
export interface ResolvedStages {
  /** A job of any stage. */
  jobCycles: number;
  /** For each KiB that the zero filter looks at. */
  zeroPerKibCycles: number;
  /** Of a page that is coded, and of one that stays raw. */
  lz4PerKibCycles: number;
  lz4RawPerKibCycles: number;
  /** That decoding makes. */
  unlz4PerKibCycles: number;
  /** Of a record, with the 10 rounds of AES-128. */
  gcmPerKibCycles: number;
}

/** Of stages on hosts, what only some placements have. */
export interface ResolvedOnHosts {
  /** Cores of the destination's host that work at stages, and the buffers that its card fills for them. */
  there?: { workers: number; buffers: number };
  /** Engines beside the CPU: the source's that seal, the destination's that open and that decode. */
  seals?: ResolvedCard["crypto"];
  opens?: ResolvedCard["crypto"];
  decodes?: { engines: number; ticksPerByte: Ratio };
}
