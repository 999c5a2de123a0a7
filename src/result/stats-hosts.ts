// SPDX-License-Identifier: Apache-2.0
/** Statistics of stages that hosts do with pages. */
import * as abi from "../../assembly/abi.ts";
import { BOTH, DESTINATION, row, SOURCE, type Spec } from "./stat-rows.ts";

export const HOSTS: readonly Spec[] = [
  row("stages.hostSealed", abi.C_HOST_SEALED, "records", SOURCE, "records that the host sealed"),
  row("stages.hostOpened", abi.C_HOST_OPENED, "records", DESTINATION, "records that the host opened"),
  row("stages.hostPlaced", abi.C_HOST_PLACED, "pages", DESTINATION, "pages that the host placed"),
  row("stages.bufferBytes", abi.C_RING_BYTES, "B", DESTINATION, "written to buffers of the host by its card"),
  row("stages.buffersMost", abi.C_RING_HIGH, "buffers", DESTINATION, "most of them in use"),
  row(
    "stages.besideNs",
    abi.C_BESIDE_TICKS,
    "ns",
    BOTH,
    "engines beside the CPU that sealed, opened, decoded",
  ),
];
