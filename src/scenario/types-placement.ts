// SPDX-License-Identifier: Apache-2.0
/** What stages of pages cost the cores that do them in software; cycles of a core. */
export interface ResolvedHostStages {
  /** A job of any stage. */
  jobCycles: number;
  /** For each KiB that the zero filter looks at. */
  zeroPerKibCycles: number;
  /** Of a page that is coded, and of one that stays raw. */
  lz4PerKibCycles: number;
  lz4RawPerKibCycles: number;
}

/** Those of a card. */
export interface ResolvedStages extends ResolvedHostStages {
  /** That decoding makes. */
  unlz4PerKibCycles: number;
  /** Of a record, with the 10 rounds of AES-128. */
  gcmPerKibCycles: number;
}
