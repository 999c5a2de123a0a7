// SPDX-License-Identifier: Apache-2.0
/** A row of the statistics, and those of decryption that is put off. */
import * as abi from "../../assembly/abi.ts";

export const SOURCE: readonly number[] = [0];
export const DESTINATION: readonly number[] = [1];
export const BOTH: readonly number[] = [0, 1];

/** A statistic of a side. `at` is the number of its counter or histogram in the core. */
export interface Spec {
  readonly name: string;
  readonly at: number;
  readonly unit: string;
  readonly text: string;
  readonly sides: readonly number[];
}

export const row = (
  name: string,
  at: number,
  unit: string,
  sides: readonly number[],
  text: string,
): Spec => ({
  name,
  at,
  unit,
  text,
  sides,
});

/** Where the destination decrypts on demand. */
export const DECRYPTION: readonly Spec[] = [
  row(
    "card.decrypt.pages",
    abi.C_DECRYPTED,
    "pages",
    DESTINATION,
    "pages sealed in memory that became plain",
  ),
  row("card.decrypt.bytesRead", abi.C_DECRYPTED_BYTES, "B", DESTINATION, "records read back for that"),
  row("card.decrypt.asked", abi.C_DECRYPT_ASKED, "pages", DESTINATION, "those begun because of a fault"),
  row("card.decrypt.neverOpened", abi.C_SUPERSEDED, "records", DESTINATION, "sealed ones that were replaced"),
  row("card.decrypt.tableBytes", abi.C_SEALED_TABLE, "B", DESTINATION, "card DRAM for what opens them"),
];
