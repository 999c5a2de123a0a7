// SPDX-License-Identifier: Apache-2.0
/**
 * A mistake: group of the probe, file (below assembly/, or src/…), name, text that occurs once, text instead,
 * what should notice.
 */
export type Row = [
  group: string,
  file: string,
  name: string,
  find: string,
  replace: string,
  caughtBy: string,
];
