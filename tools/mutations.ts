// SPDX-License-Identifier: Apache-2.0
// One-line mistakes in the core and in what it is given, each of which a named invariant or claim must
// notice: `npm run mutate`.
import type { Mutation } from "./mutate.ts";
import { ahead } from "./mutations/ahead.ts";
import { around } from "./mutations/around.ts";
import { card } from "./mutations/card.ts";
import { clairvoyant } from "./mutations/clairvoyant.ts";
import { codec } from "./mutations/codec.ts";
import { datagrams } from "./mutations/datagrams.ts";
import { deferred } from "./mutations/deferred.ts";
import { delta } from "./mutations/delta.ts";
import { devices } from "./mutations/devices.ts";
import { engines } from "./mutations/engines.ts";
import { failing } from "./mutations/failing.ts";
import { failures } from "./mutations/failures.ts";
import { framing } from "./mutations/framing.ts";
import { guests } from "./mutations/guests.ts";
import { harness } from "./mutations/harness.ts";
import { host } from "./mutations/host.ts";
import { hosts } from "./mutations/hosts.ts";
import { kernel } from "./mutations/kernel.ts";
import { limits } from "./mutations/limits.ts";
import { link } from "./mutations/link.ts";
import { lossy } from "./mutations/lossy.ts";
import { pcie } from "./mutations/pcie.ts";
import { placement } from "./mutations/placement.ts";
import { probe } from "./mutations/probe.ts";
import { residual } from "./mutations/residual.ts";
import { scan } from "./mutations/scan.ts";
import { software } from "./mutations/software.ts";
import { storage } from "./mutations/storage.ts";
import { traces } from "./mutations/traces.ts";
import { trackers } from "./mutations/trackers.ts";

/** In the order in which a page meets the mistakes. */
export const mutations: readonly Mutation[] = [
  traces,
  around,
  failures,
  failing,
  harness,
  host,
  residual,
  deferred,
  ahead,
  datagrams,
  guests,
  trackers,
  devices,
  scan,
  limits,
  storage,
  pcie,
  probe,
  card,
  engines,
  placement,
  hosts,
  software,
  link,
  lossy,
  kernel,
  codec,
  delta,
  clairvoyant,
  framing,
]
  .flat()
  .map(([test, file, name, find, replace, caughtBy]) => ({
    name,
    file: `${file.startsWith("src/") ? "" : "assembly/"}${file}.ts`,
    find,
    replace,
    caughtBy,
    test,
  }));
