// SPDX-License-Identifier: Apache-2.0
/** The guest's writes that a scenario asks for: from an open trace, or generated. */
import { TICKS_PER_SECOND } from "./scenario/ticks.ts";
