// SPDX-License-Identifier: Apache-2.0
/**
 * Stages of pages on hosts (docs/model.md section 18): the order in which a page meets them, engines beside
 * the CPUs, cores and buffers, and what does not go together with them.
 */
import { namedCipher } from "./ciphers.ts";
import { ticksPerByte, type Values } from "./fill.ts";
import type { Movable } from "./placement.ts";
import { BUFFERS, placeOf } from "./placement.ts";
import type { Problems } from "./problems.ts";
import type { Scenario } from "./schema.ts";
import type { NamedCiphers } from "./sealing.ts";
import type { ResolvedSide } from "./types.ts";
import type { ResolvedOnHosts } from "./types-placement.ts";
import { compresses } from "./used.ts";

/** Faults after which no record is begun again, forgotten or left behind on a card. */
const BORNE = ["cancel", "corrupt", "pcie-down", "link-down"];

/** Whether a host, or an engine beside its CPU, does a stage. */
export function onHost({ placement }: Pick<Scenario, "placement">, stage: Movable): boolean {
  return placeOf(placement, stage).startsWith("host");
}

/** The engines of `encrypt` that are on cards: where they are beside a CPU, the card has its own. */
function onCards({ placement }: Pick<Scenario, "placement">, ciphers: NamedCiphers): NamedCiphers {
  const of = (side: "source" | "destination", stage: Movable): Values | null =>
    placeOf(placement, stage) === "host-engine" ? null : ciphers[side];
  return { source: of("source", "encrypt"), destination: of("destination", "decrypt") };
}

/** The engine of `encrypt` that is beside the CPU of a side, and not on its card. */
function cipherBeside(
  { placement }: Pick<Scenario, "placement">,
  ciphers: NamedCiphers,
  side: "source" | "destination",
): Values | null {
  const stage = side === "source" ? "encrypt" : "decrypt";
  return placeOf(placement, stage) === "host-engine" ? ciphers[side] : null;
}

/** What the resolved placement says of hosts beyond the source's workers; nothing where they have no part. */
export function fillOnHosts(
  scenario: Scenario,
  engine: Values | null,
  ciphers: NamedCiphers,
): ResolvedOnHosts {
  const { placement } = scenario;
  if (typeof placement === "string") return {};
  const there = onHost(scenario, "decrypt") || onHost(scenario, "decompress");
  const [seals, opens] = [
    cipherBeside(scenario, ciphers, "source"),
    cipherBeside(scenario, ciphers, "destination"),
  ];
  const decodes = placeOf(placement, "decompress") === "host-engine" && engine !== null;
  return {
    ...(there
      ? { there: { workers: Number(placement.destinationWorkers), buffers: Number(placement.buffers) } }
      : {}),
    ...(seals === null ? {} : { seals: namedCipher(seals) }),
    ...(opens === null ? {} : { opens: namedCipher(opens) }),
    ...(decodes
      ? { decodes: { engines: engine.whole("engines"), ticksPerByte: ticksPerByte(engine.exact("rate")) } }
      : {}),
  };
}

/** The source's host: zero filter, compression, encryption, in this order, and none left to its card. */
function checkSource(scenario: Scenario, problems: Problems): void {
  if (!onHost(scenario, "encrypt")) return;
  const { placement } = scenario;
  const add = (what: string): void => problems.add(["placement", "encrypt"], what);
  if (!onHost(scenario, "zero"))
    add("comes after the zero filter, which a card cannot have of what is encrypted; write zero: host too");
  else if (compresses(scenario) && !onHost(scenario, "compress"))
    add("comes after compression: a card cannot compress what is encrypted; write compress: host too");
  else if (placeOf(placement, "compress") === "host-engine" && placeOf(placement, "encrypt") === "host")
    add("would have a worker come back to a page that an engine has compressed; write host-engine");
  const { timeout, onTimeout } = scenario.migration;
  if (timeout !== "none" && onTimeout === "force")
    problems.add(
      ["migration", "timeout"],
      "with onTimeout: force drops pages that the host has numbered; write none",
    );
}

/** The destination's host: what it opens it decodes too. */
function checkDestination(scenario: Scenario, host: Values, problems: Problems): void {
  const { placement, encrypt, guest, faults, migration } = scenario;
  if (typeof placement === "string") return;
  const add = (key: string, what: string): void => problems.add(["placement", key], what);
  const opens = onHost(scenario, "decrypt");
  if (!opens && !onHost(scenario, "decompress")) {
    if (Number(placement.destinationWorkers) !== 1)
      add("destinationWorkers", "have nothing to do; write decompress: host, or remove it");
    if (Number(placement.buffers) !== BUFFERS)
      add("buffers", "hold nothing; write decompress: host, or remove it");
    return;
  }
  if (opens && compresses(scenario) && !onHost(scenario, "decompress"))
    add("decompress", "comes after decrypt: a card cannot decode what is encrypted; write host");
  const cores = host.whole("cpu.cores");
  if (cores !== 0 && cores < Number(placement.destinationWorkers))
    add("destinationWorkers", `are more than the destination's host has cores; write at most ${cores}`);
  const alone = "is not supported yet with stages on the destination's host";
  if (encrypt !== "off" && encrypt.decrypt !== "eager")
    problems.add(["encrypt", "decrypt"], `${alone}; write eager`);
  if (guest.storage !== undefined) problems.add(["guest", "storage"], `${alone}; remove it`, "key");
  if (migration.onTagFailure !== "abort")
    problems.add(["migration", "onTagFailure"], `${alone}; write abort`);
  for (const [index, { what }] of faults.entries())
    if (!BORNE.includes(what))
      problems.add(["faults", String(index), "what"], `${alone}; write decompress: card`);
}

/** Engines beside a CPU have to be named; they are of a given rate, or ciphers of a preset. */
function checkBeside(
  scenario: Scenario,
  engine: Values | null,
  ciphers: NamedCiphers,
  problems: Problems,
): void {
  const { placement } = scenario;
  for (const [side, stage] of [
    ["source", "encrypt"],
    ["destination", "decrypt"],
  ] as const)
    if (placeOf(placement, stage) === "host-engine" && ciphers[side] === null)
      problems.add(["placement", stage], `is an engine of a preset; write encrypt: { ${side}: qat-8950 }`);
  if (placeOf(placement, "decompress") !== "host-engine") return;
  if (engine !== null && engine.word("algorithm") !== "lz4-hw") return;
  problems.add(
    ["placement", "decompress"],
    "is an engine of a given rate; write e.g. compress: { engine: qat-gen4 }",
  );
}

/** Refuses stages on hosts that do not fit; returns the ciphers that are left on cards. */
export function checkHosts(
  scenario: Scenario,
  engine: Values | null,
  ciphers: NamedCiphers,
  destination: Values,
  problems: Problems,
): NamedCiphers {
  checkSource(scenario, problems);
  checkDestination(scenario, destination, problems);
  checkBeside(scenario, engine, ciphers, problems);
  return onCards(scenario, ciphers);
}

/** The destination's card writes no completion records: its pages are placed by the host. */
export function checkHostsCard(scenario: Scenario, { card }: ResolvedSide, problems: Problems): void {
  if (!onHost(scenario, "decrypt") && !onHost(scenario, "decompress")) return;
  if (card.dma.completionEvery === 0) return;
  problems.add(
    ["destination", "card", "dma", "completionEvery"],
    "is not supported yet with stages on the destination's host; write 0",
  );
}
