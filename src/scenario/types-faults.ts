// SPDX-License-Identifier: Apache-2.0
/** What breaks, of a resolved scenario. */

/** What breaks. */
export interface ResolvedFault {
  atTicks: string;
  what:
    | "link-down"
    | "pcie-down"
    | "cancel"
    | "corrupt"
    | "reset"
    | "engine-fails"
    | "firmware-restart"
    | "poll-stalls";
  /** How long; null where that has no meaning. */
  forTicks: string | null;
  /** Whose; null where that has no meaning. */
  side: "source" | "destination" | null;
  /** Of engine-fails: whose engines, and how many. */
  unit?: "compressor" | "seal" | "open" | "decompressor";
  engines?: number;
  /** Of firmware-restart: what becomes of the RAM. */
  ram?: "kept" | "lost";
  /** Of corrupt: how many records, where that is not one. */
  records?: number;
}
