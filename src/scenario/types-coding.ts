// SPDX-License-Identifier: Apache-2.0
/** How pages are given to encoders, resolved; what is absent is as it is by default. */

export interface ResolvedCoding {
  /** Pages between two looks at what compression gains; it is always on without. */
  choosePages?: number;
  /** What a page costs that an engine leaves to software. */
  handBack?: {
    cycles: number;
    /** Whether the engine itself stores what does not shrink. */
    stores: boolean;
  };
  /** Jobs of several pages. */
  jobs?: {
    pages: number;
    waitTicks: number;
    /** Whether they are copied into card DRAM first. */
    copies: boolean;
  };
}
