// SPDX-License-Identifier: Apache-2.0
/** What does not fit `guests` and `evacuation`: in the list, beside it, and together. */
import { ROUNDS_MAX, VCPUS_MAX } from "../../assembly/abi.ts";
import { checkGuest } from "./checks.ts";
import { isMapping } from "./guests.ts";
import { placeOf } from "./placement.ts";
import type { Problems } from "./problems.ts";
import type { Scenario } from "./schema.ts";
import type { Path } from "./source.ts";
import type { ResolvedSide } from "./types.ts";
import { parseQuantity } from "./units.ts";

const DEVICE_BYTES_MAX = 2 ** 28;

/** What stands in the list, that one guest may have and several may not. */
function checkOne(scenario: Scenario, index: number, problems: Problems): void {
  const guest = scenario.guests![index]!;
  const at = (path: Path): Path => ["guests", String(index), ...path];
  const here: Pick<Problems, "add"> = {
    add: (path, message, what) => problems.add(at(path.slice(1)), message, what),
  };
  checkGuest({ ...scenario, guest, guests: undefined }, here);
  const alone = "is not supported yet with several guests";
  if (guest.devices.length > 0) problems.add(at(["devices"]), `${alone}; write []`);
  if (guest.storage !== undefined) problems.add(at(["storage"]), `${alone}; remove it`, "key");
  if (guest.reads !== "off") problems.add(at(["reads"]), `${alone}; write off`);
  if (guest.clock !== "guest") problems.add(at(["clock"]), `${alone}; write guest`);
  if (guest.atEnd === "fail") problems.add(at(["atEnd"]), `fail ${alone}; write idle`);
  const first = scenario.guests!.find(({ trace }) => trace !== undefined)?.trace;
  if (guest.trace !== undefined && guest.trace !== first)
    problems.add(at(["trace"]), `${alone} where another plays a different one; write ${first}`);
}

/** Parts of a run that know of one guest alone. */
function checkBeside(scenario: Scenario, problems: Problems): void {
  const alone = "is not supported yet with guests";
  const { migration, tracker, internal } = scenario;
  const need = (ok: boolean, path: Path, right: string): void => {
    if (!ok) problems.add(path, `${alone}; write ${right}`);
  };
  for (const stage of ["zero", "compress", "encrypt", "decrypt", "decompress"] as const)
    need(placeOf(scenario.placement, stage) === "card", ["placement", stage], "card");
  need(scenario.placement !== "qemu", ["placement"], "huawei");
  need(internal.pages === "dma", ["internal", "pages"], "dma");
  need(internal.addresses !== "card-scans", ["internal", "addresses"], "bitmap");
  need(scenario.delta === "off", ["delta"], "off");
  const { encrypt } = scenario;
  need(encrypt === "off" || encrypt.decrypt === "eager", ["encrypt", "decrypt"], "eager");
  need(scenario.tenant === "off", ["tenant"], "off");
  need(scenario.faults.length === 0, ["faults"], "[]");
  need(["write-protect", "bitmap"].includes(String(tracker.kind)), ["tracker", "kind"], "write-protect");
  need(tracker.group === 1, ["tracker", "group"], "1");
  need(tracker.start === "resident", ["tracker", "start"], "resident");
  need(tracker.order === "clear-before-read", ["tracker", "order"], "clear-before-read");
  need(migration.algorithm === "precopy", ["migration", "algorithm"], "precopy");
  const { residual = "before-resume", silence = "none" } = migration;
  need(residual === "before-resume", ["migration", "residual"], "before-resume");
  need(migration.timeout === "none", ["migration", "timeout"], "none");
  need(migration.retries === 0, ["migration", "retries"], "0");
  need(silence === "none", ["migration", "silence"], "none");
  need(migration.onTagFailure === "abort", ["migration", "onTagFailure"], "abort");
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, n) => total + n, 0);
const bytesOf = (text: unknown): number => Number(parseQuantity(text, "bytes").num);

/** `guests` and `evacuation`, and everything beside them. `written`: the data of the file. */
export function checkGuests(scenario: Scenario, written: unknown, problems: Problems): void {
  const { guests, evacuation, migration } = scenario;
  if (guests === undefined) {
    if (evacuation !== undefined)
      problems.add(["evacuation"], "has no effect without guests; remove it", "key");
    return;
  }
  if (isMapping(written) && written.guest !== undefined)
    problems.add(["guests"], "stands beside guest; keep one of the two", "key");
  for (let i = 0; i < guests.length; i++) checkOne(scenario, i, problems);
  checkBeside(scenario, problems);
  const vcpus = sum(guests.map((guest) => Number(guest.vcpus)));
  if (vcpus > VCPUS_MAX)
    problems.add(["guests"], `have ${vcpus} vCPUs together; write at most ${VCPUS_MAX}`, "key");
  if (sum(guests.map(({ deviceState }) => bytesOf(deviceState))) > DEVICE_BYTES_MAX)
    problems.add(["guests"], "have more than 256 MiB of device state together; write less", "key");
  const rounds = (Number(migration.maxRounds) + 1) * guests.length;
  if (rounds <= ROUNDS_MAX) return;
  const most = Math.floor(ROUNDS_MAX / guests.length) - 1;
  const what = `${migration.maxRounds} for each of ${guests.length} guests are too many`;
  problems.add(["migration", "maxRounds"], `${what}; write at most ${most}`);
}

/** A server whose cores vCPUs share with the migration holds all of them up: it has one guest. */
export function checkCores(scenario: Scenario, source: ResolvedSide, problems: Problems): void {
  if (scenario.guests === undefined || source.host.cpu.cores === 0) return;
  const what = "has cpu.cores, which is not supported yet with guests; write cpu: { cores: 0 }";
  problems.add(["source", "host"], what);
}
