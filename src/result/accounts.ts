// SPDX-License-Identifier: Apache-2.0
/** Names of the accounting units and of where their time goes. */
import * as abi from "../../assembly/abi.ts";

/** Sides in the order of the core. */
export const SIDES = ["source", "destination"] as const;

interface AccountSpec {
  /** First account, and how many the core has room for. */
  readonly at: number;
  readonly count: number;
  /** Name after the side's; a pool's engines add `.0`, `.1` … */
  readonly name: string;
  readonly text: string;
}

/** Accounts of one side, in the order in which a page meets them. */
export const ACCOUNTS: readonly AccountSpec[] = [
  { at: abi.A_GUEST, count: 1, name: "guest", text: "the guest: busy while its vCPUs run" },
  { at: abi.A_FRONTEND, count: 1, name: "host.frontend", text: "the front-end's host core" },
  { at: abi.A_VSOCK, count: 1, name: "card.vsock", text: "the card's end of the VSOCK rings" },
  { at: abi.A_UP, count: 1, name: "pcie.up", text: "PCIe wire from card to host" },
  { at: abi.A_DOWN, count: 1, name: "pcie.down", text: "PCIe wire from host to card" },
  { at: abi.A_TENANT, count: 1, name: "card.tenant", text: "DMA engine of other I/O" },
  { at: abi.A_FUNCTION, count: 1, name: "card.functions", text: "virtual functions that write guest memory" },
  { at: abi.A_STORAGE, count: 1, name: "card.storage", text: "storage adapter of the guest" },
  { at: abi.A_MEMORY_READ, count: 1, name: "host.memory.read", text: "host memory serving reads over PCIe" },
  {
    at: abi.A_MEMORY_WRITE,
    count: 1,
    name: "host.memory.write",
    text: "host memory serving writes over PCIe",
  },
  { at: abi.A_CORE, count: abi.CORES_MAX, name: "control.core", text: "a core of the control processor" },
  { at: abi.A_SCANNER, count: 1, name: "card.scanner", text: "dirty bits to page jobs" },
  {
    at: abi.A_DESC,
    count: 1,
    name: "card.dma.descriptors",
    text: "descriptor fetcher: busy while a fetch is out",
  },
  { at: abi.A_READ, count: 1, name: "card.dma.read", text: "DMA read engine" },
  { at: abi.A_ZERO, count: 1, name: "card.zero", text: "zero filter" },
  { at: abi.A_DELTA, count: 1, name: "card.delta", text: "delta engine" },
  { at: abi.A_LZ, count: abi.ENGINES_MAX, name: "card.compressor", text: "a compressor engine" },
  { at: abi.A_SEAL, count: abi.ENGINES_MAX, name: "card.crypto.seal", text: "an encrypting AES-GCM engine" },
  { at: abi.A_FRAMER, count: 1, name: "card.framer", text: "copies records into the send buffer" },
  { at: abi.A_NET, count: 1, name: "link.tx", text: "transmitter on the Ethernet link" },
  { at: abi.A_RECEIVE, count: 1, name: "card.receiver", text: "copies records out of the receive buffer" },
  { at: abi.A_OPEN, count: abi.ENGINES_MAX, name: "card.crypto.open", text: "a decrypting AES-GCM engine" },
  { at: abi.A_UNLZ, count: abi.ENGINES_MAX, name: "card.decompressor", text: "a decompressor engine" },
  { at: abi.A_PLACE, count: 1, name: "card.dma.write", text: "DMA write engine" },
  {
    at: abi.A_WORKER,
    count: abi.WORKERS_MAX,
    name: "host.worker",
    text: "a core of the host that works at stages put there; at the destination it places pages too",
  },
];

/** What a waiting unit waits for, by accounting state. */
export const CAUSES: Readonly<Record<number, string>> = {
  [abi.W_TAGS]: "tags",
  [abi.W_CREDIT_PH]: "credits.ph",
  [abi.W_CREDIT_PD]: "credits.pd",
  [abi.W_CREDIT_NPH]: "credits.nph",
  [abi.W_COMPLETION_BUFFER]: "completionBuffer",
  [abi.W_REPLAY]: "replayBuffer",
  [abi.W_SRAM]: "sram",
  [abi.W_CWND]: "cwnd",
  [abi.W_WINDOW]: "window",
  [abi.W_RATE_CAP]: "rateCap",
  [abi.W_PCIE]: "pcie",
  [abi.W_ACK]: "ack",
  [abi.W_PAUSE]: "pause",
  [abi.W_SLOTS]: "slots",
  [abi.W_WORKERS]: "workers",
};

/** A unit of a run and its ticks by accounting state. */
export interface Unit {
  readonly name: string;
  /** The name that a pool's engines share, ending in `.*`; else the unit's own. */
  readonly pool: string;
  readonly ticks: readonly bigint[];
}

/** The units of both sides that the board has. */
export function unitsOf(accounts: readonly (readonly (readonly bigint[] | null)[])[]): Unit[] {
  const units: Unit[] = [];
  for (const [side, sideName] of SIDES.entries()) {
    for (const { at, count, name } of ACCOUNTS) {
      for (let i = 0; i < count; i++) {
        const ticks = accounts[side]?.[at + i];
        if (ticks === null || ticks === undefined) continue;
        const full = `${sideName}.${name}`;
        units.push(
          count === 1
            ? { name: full, pool: full, ticks }
            : { name: `${full}.${i}`, pool: `${full}.*`, ticks },
        );
      }
    }
  }
  return units;
}

/** What the units did since the migration was asked for: `before` is what they had done by then. */
export function unitsSince(
  accounts: readonly (readonly (readonly bigint[] | null)[])[],
  before: readonly (readonly (readonly bigint[] | null)[])[],
): Unit[] {
  const since = accounts.map((side, i) =>
    side.map((sums, n) => sums?.map((ticks, state) => ticks - (before[i]?.[n]?.[state] ?? 0n)) ?? null),
  );
  return unitsOf(since);
}

/** Units whose times do not add up to so many ticks, or have one below 0. */
export function oddSince(units: readonly Unit[], ticks: bigint): string[] {
  return units
    .filter(({ ticks: sums }) => sums.some((n) => n < 0n) || sums.reduce((sum, n) => sum + n, 0n) !== ticks)
    .map(({ name }) => name);
}
