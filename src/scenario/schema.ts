// SPDX-License-Identifier: Apache-2.0
/**
 * The scenario file, `dpusim.scenario/1`, as a strict zod schema: structure, defaults, and what this version
 * supports. Meaning across keys (presets, limits of a card, paths) is checked in resolve.ts.
 */
import * as z from "zod";
import { ROUNDS_MAX, STREAMS_MAX } from "../../assembly/abi.ts";
import { aheadFields } from "./ahead.ts";
import { tenantSchema } from "./around.ts";
import { codingFields } from "./coding.ts";
import { decryptFields } from "./decrypt.ts";
import { deltaSchema } from "./delta.ts";
import { devicesSchema } from "./devices.ts";
import { faultSchema, tagFailureFields } from "./faults.ts";
import { field, overrideFields, supported } from "./fields.ts";
import { evacuationSchema, guestsSchema } from "./guests.ts";
import { CARD_KEYS, HOST_KEYS, type KeySpec, LINK_KEYS, REFUSED_KEYS } from "./keys.ts";
import { pauseSchema } from "./pause.ts";
import { placementSchema } from "./placement.ts";
import { algorithmSchema, missingSchema, residualSchema } from "./residual.ts";
import { scanSchema } from "./scan.ts";
import { cipherFields } from "./sealing.ts";
import { softwareSchema } from "./software-section.ts";
import { storageSchema } from "./storage.ts";
import { throttleFields } from "./throttle.ts";
import { trackerSchema } from "./tracker.ts";
import { parseDecimal, printable, show, toRatio, UnitError } from "./units.ts";

/** The schema name of this version. */
export const SCENARIO_SCHEMA = "dpusim.scenario/1";

/** The presets of a side that names none. */
export const DEFAULT_HOST = "snb-e5-2630";
export const DEFAULT_CARD = "dpu-ref";
const DEFAULT_LINK = "ethernet-100g";
/** Queue of a bottleneck. */
export const DEFAULT_BUFFER = "1 MiB";
/** One page in so many is carried, unless a scenario says otherwise. */
export const SAMPLE_EVERY = 64;

const count = (min: number, max: number, text: string) => field({ measure: "count", min, max, text });
const choice = (values: readonly string[], text: string) => field({ measure: "choice", values, text });
const time = (max: number, text: string) => field({ measure: "time", min: 0, max, text });

const HOURS = 3600;
const TIME_MAX = 2.5 * HOURS;

/** A field that is either a word or a quantity. */
function wordOr(word: string, spec: KeySpec): z.ZodType<string | number> {
  const quantity = field(spec);
  return z
    .custom<string | number>()
    .superRefine((input, context) => {
      const issue = input === word ? undefined : quantity.safeParse(input).error?.issues[0];
      if (issue !== undefined) context.addIssue({ code: "custom", message: `${issue.message}, or ${word}` });
    })
    .meta({
      anyOf: [{ const: word }, z.toJSONSchema(quantity, { unrepresentable: "any" })],
      description: spec.text,
    });
}

const text = (what: string, max: number) =>
  z
    .string({ error: ({ input }) => `${show(input)} is not text; write ${what}` })
    .min(1, { error: `is empty; write ${what}` })
    .max(max, { error: `is longer than ${max} characters; shorten it` })
    .refine((given) => given === printable(given), {
      error: "holds characters that do not print; write plain text on one line",
    });

const presetName = z
  .string({
    error: ({ input }) =>
      `${input === undefined ? "is missing" : `${show(input)} is no name`}; write a preset's name`,
  })
  .max(64)
  .meta({ description: "name of a preset; `dpusim presets` lists them" });

function side(keys: typeof CARD_KEYS, what: "host" | "card") {
  const overrides = overrideFields(keys, REFUSED_KEYS[what]);
  return z.union([presetName, z.strictObject({ preset: presetName, ...overrides })], {
    error: ({ input }) =>
      `${show(input)} is no ${what}; write a preset's name or { preset: NAME, ...overrides }`,
  });
}

/** A server and its card, as a scenario names them. */
export const sideSchema = z.strictObject({
  host: side(HOST_KEYS, "host").optional(),
  card: side(CARD_KEYS, "card").optional(),
});

const mix = z.strictObject({
  zero: count(0, 100, "per cent of pages that are all zero").default(0),
  text: count(0, 100, "per cent of pages that hold text").default(0),
  random: count(0, 100, "per cent of pages that hold random bytes").default(0),
});

const speed = z
  .custom<string | number>()
  .superRefine((input, context) => {
    try {
      if (typeof input === "object") throw new UnitError(`${show(input)} is not a number; write e.g. 2.5`);
      const value = parseDecimal(input);
      const bad = value.num * 1000n < value.den || value.num > 1000000n * value.den;
      if (bad) throw new UnitError(`${show(input)} is out of range; write 0.001 to 1000000`);
      toRatio(value);
    } catch (error) {
      context.addIssue({ code: "custom", message: (error as Error).message });
    }
  })
  .meta({
    type: "number",
    minimum: 0.001,
    maximum: 1000000,
    description: "factor on the speed of the trace",
  });

const generate = z.strictObject({
  memory: field({
    measure: "bytes",
    min: 4096,
    max: 2 ** 40,
    text: "memory of the guest, whole 4 KiB pages",
  }),
  rate: field({ measure: "events", min: 0, max: 1e9, text: "page writes per second" }),
  workingSet: field({ measure: "bytes", min: 4096, max: 2 ** 40, text: "memory that is written" }),
  pattern: choice(["uniform", "hot", "sequential", "zipf"], "which page is written next").default("uniform"),
  mix: mix.optional(),
});

const guest = z.strictObject({
  trace: text("the path of a trace file", 4096).optional(),
  generate: generate.optional(),
  vcpus: count(1, 64, "virtual processors").default(1),
  deviceState: field({ measure: "bytes", min: 1, max: 2 ** 28, text: "device state" }).default("2 MiB"),
  clock: choice(["guest", "wall"], "whether stalls shift later writes (guest) or not (wall)").default(
    "guest",
  ),
  atEnd: choice(["idle", "loop", "fail"], "what the guest does after the trace ends").default("idle"),
  tile: count(1, 4096, "copies of the trace's memory side by side").default(1),
  speed: speed.default(1),
  reads: choice(["off", "trace"], "first reads of pages, which wait for those that are not there").default(
    "off",
  ),
  mix: mix.optional(),
  devices: devicesSchema,
  storage: storageSchema.optional(),
});

const internal = z.strictObject({
  transport: supported(["vsock"], "none", "control messages between host and card").default("vsock"),
  pages: choice(["dma", "vsock"], "how page bodies cross PCIe").default("dma"),
  addresses: supported(
    ["bitmap", "list", "runs", "card-scans"],
    "none",
    "form of the dirty-page addresses",
  ).default("bitmap"),
  scan: scanSchema.optional(),
  dll: choice(["explicit", "pciebench", "ack-per-tlp", "none"], "data link layer").default("explicit"),
  iommu: choice(["off", "4KiB", "2MiB"], "address translation: its page size").default("off"),
  ats: choice(["off", "on"], "the card asks for translations itself and keeps them").default("off"),
  relaxedOrdering: choice(["off", "on"], "data writes do not wait for the translations of others").default(
    "off",
  ),
  jitter: choice(["off", "on"], "seeded jitter of host memory").default("off"),
  numa: choice(["local", "remote"], "the socket of the guest's memory, seen from the card's").default(
    "local",
  ),
  contention: choice(["off", "on"], "reads wait for the load of host memory").default("off"),
  interrupts: z
    .union(
      [
        z.literal("each"),
        z.strictObject({
          every: field({ measure: "time", min: 1e-9, max: 1e-3, text: "between two MSI-X at least" }).default(
            "50 us",
          ),
          after: count(1, 32, "messages that wait no longer").default(32),
        }),
      ],
      {
        error: ({ input }) => `${show(input)} is not known here; write each or { every: 50 us, after: 32 }`,
      },
    )
    .default("each"),
  ecrc: choice(["off", "on"], "an end-to-end CRC on every TLP").default("off"),
  bitErrorRate: z
    .number("is no probability; write e.g. 1e-9")
    .min(0, "is below 0; write 0 to 1e-5")
    .max(1e-5, "is above 1e-5; write 0 to 1e-5")
    .default(0)
    .describe("probability that a bit on the PCIe link arrives wrong"),
});

const compressorFields = Object.fromEntries(
  Object.entries(CARD_KEYS)
    .filter(([key]) => key.startsWith("compressor."))
    .map(([key, spec]) => [key.slice("compressor.".length), field(spec).optional()]),
);

/** The name by which `compress` takes the card's own encoders. */
export const OWN_ENGINE = "lz4-hw";

const compress = z.union(
  [
    z.literal("off"),
    z.strictObject({
      engine: z
        .string("is no name; write lz4-hw, off or a compressor preset")
        .default(OWN_ENGINE)
        .describe("the card's own encoder (lz4-hw), that of a compressor preset, or off"),
      ...compressorFields,
      ...codingFields,
    }),
  ],
  { error: ({ input }) => `${show(input)} is not known here; write off or { engine: lz4-hw }` },
);

const encrypt = z.union(
  [
    z.literal("off"),
    z.strictObject({
      cipher: choice(["aes-128-gcm", "aes-256-gcm", "off"], "cipher of every record").default("aes-128-gcm"),
      ...decryptFields,
      ...aheadFields,
      ...cipherFields,
    }),
  ],
  { error: ({ input }) => `${show(input)} is not known here; write off or { cipher: aes-128-gcm }` },
);

const share = z
  .custom<string | number>()
  .superRefine((input, context) => {
    try {
      if (typeof input === "object") throw new UnitError(`${show(input)} is not a number; write e.g. 0.001`);
      const value = parseDecimal(input);
      const bad = value.num * 2n > value.den;
      if (bad) throw new UnitError(`${show(input)} is out of range; write 0 to 0.5`);
    } catch (error) {
      context.addIssue({ code: "custom", message: (error as Error).message });
    }
  })
  .meta({ type: "number", minimum: 0, maximum: 0.5, description: "share of the frames lost, either way" });

const framing = z.strictObject({
  vlan: count(0, 2, "VLAN tags of a frame (IEEE 802.1Q), 4 B each").default(0),
  ip: choice(["v4", "v6"], "IP version: headers of 20 or 40 B").default("v4"),
  vxlan: choice(["off", "on"], "VXLAN (RFC 7348): 50 B of the MTU").default("off"),
  macsec: choice(["off", "sci", "short"], "MACsec: 32 B a frame with the SCI, 24 B without").default("off"),
  esp: choice(["off", "tunnel"], "ESP in tunnel mode with AES-GCM (RFC 4106)").default("off"),
  tls: choice(["off", "v1.2", "v1.3"], "TLS around every record of a data link: 29 or 22 B").default("off"),
});

const link = z.strictObject({
  preset: presetName.default(DEFAULT_LINK),
  ...overrideFields(LINK_KEYS),
  transport: choice(["tcp", "udp"], "transport of both data links").default("tcp"),
  congestion: choice(
    ["none", "reno", "cubic"],
    "congestion control: none starts slowly and never backs off",
  ).default("none"),
  streams: count(1, STREAMS_MAX, "connections per data link").default(1),
  loss: share.default(0),
  jitter: time(1, "how late a frame may be; order is kept").default(0),
  bottleneck: wordOr("none", {
    measure: "rate",
    min: 1e6,
    max: 1e12,
    text: "rate of a slower part of the path, behind a queue that drops",
  }).default("none"),
  buffer: field({
    measure: "bytes",
    min: 0,
    max: 2 ** 30,
    text: "queue at the bottleneck in bytes on the wire; inert without one",
  }).default(DEFAULT_BUFFER),
  pause: pauseSchema.default("off"),
  inFlight: wordOr("none", {
    measure: "bytes",
    min: 65536,
    max: 2 ** 30,
    text: "cap on what a connection has in flight",
  }).default("none"),
  retries: count(
    1,
    20,
    "timeouts in a row after which a connection is given up, as Linux's tcp_retries2",
  ).default(15),
  windowGrowth: choice(
    ["fixed", "auto"],
    "auto: the receive window begins with 65535 B and grows as Linux's does",
  ).default("fixed"),
  framing: framing.optional(),
  window: field({
    measure: "bytes",
    min: 65536,
    max: 2 ** 30,
    text: "receive window; default: the card's",
  }).optional(),
  rateCap: wordOr("none", { measure: "rate", min: 1000, max: 1e12, text: "cap on the bytes sent" }).default(
    "none",
  ),
  arbitration: choice(["strict", "weighted"], "between the data links: state first, or by weight").default(
    "strict",
  ),
  weights: z
    .strictObject({
      state: count(1, 255, "weight of the device-state link").default(1),
      pages: count(1, 255, "weight of the page link").default(1),
    })
    .optional(),
});

const migration = z.strictObject({
  algorithm: algorithmSchema,
  downtimeLimit: time(TIME_MAX, "stop when the rest fits in this time").default("300 ms"),
  maxRounds: count(1, ROUNDS_MAX - 1, "rounds at most; the stop is one more").default(30),
  residual: residualSchema,
  threshold: wordOr("none", {
    measure: "count",
    min: 1,
    max: 2 ** 32 - 1,
    text: "stop when fewer pages are left, in place of the downtime limit",
  }).default("none"),
  missing: missingSchema.optional(),
  timeout: wordOr("none", { measure: "time", min: 1e-9, max: TIME_MAX, text: "longest migration" }).default(
    "none",
  ),
  onTimeout: choice(["fail", "force"], "what happens at the limit of rounds or time").default("fail"),
  retries: count(0, 8, "attempts after one that has failed").default(0),
  retryAfter: time(HOURS, "from the end of an attempt to the next").default("1 s"),
  silence: wordOr("none", {
    measure: "time",
    min: 1e-9,
    max: TIME_MAX,
    text: "longest time without a frame of the other card; default: 30 s when a fault has no end, else none",
  }).optional(),
  ...tagFailureFields,
  ...throttleFields,
  startAt: time(TIME_MAX, "guest time at which the migration starts").default("0 s"),
});

/** The scenario as written in a file. */
export const scenarioSchema = z.strictObject({
  schema: supported([SCENARIO_SCHEMA], "none", "format of this file"),
  name: text("a name", 200).optional(),
  guest,
  guests: guestsSchema(guest),
  evacuation: evacuationSchema,
  source: sideSchema.prefault({}),
  destination: sideSchema.prefault({}),
  internal: internal.prefault({}),
  placement: placementSchema.default("huawei"),
  tracker: trackerSchema.prefault({}),
  compress: compress.prefault({}),
  delta: deltaSchema.default("off"),
  encrypt: encrypt.prefault({}),
  link: link.prefault({}),
  migration: migration.prefault({}),
  tenant: tenantSchema.default("off"),
  software: softwareSchema.prefault({}),
  firmware: supported(["built-in"], "any", "firmware of the cards").default("built-in"),
  faults: z.array(faultSchema).max(8).describe("what breaks and when").default([]),
  content: choice(["full", "sized", "sampled"], "which page bodies are carried").default("full"),
  sampleEvery: count(1, 1_000_000, "with content sampled: one page in so many is carried").default(
    SAMPLE_EVERY,
  ),
  seed: count(0, 2 ** 32 - 1, "seed of everything random").default(1),
});

/** The scenario with its defaults, before presets are filled in. */
export type Scenario = z.output<typeof scenarioSchema>;

/** The JSON Schema (2020-12) of the scenario file, for editors and other tools. */
export function scenarioJsonSchema(reused: "ref" | "inline" = "ref"): Record<string, unknown> {
  const schema = z.toJSONSchema(scenarioSchema, { io: "input", unrepresentable: "any", reused });
  const required = schema.required?.filter((key) => key !== "guest");
  const oneOf = [{ required: ["guest"] }, { required: ["guests"] }];
  return { ...schema, required, oneOf, title: SCENARIO_SCHEMA, description: "A dpusim scenario" };
}

let exported: Record<string, unknown> | undefined;

/** The keys that may stand in the mapping at a path of a scenario; for did-you-mean. */
export function knownKeysAt(path: readonly (string | number)[]): string[] {
  exported ??= scenarioJsonSchema("inline");
  type Node = { properties?: Record<string, Node>; anyOf?: Node[] };
  let nodes: Node[] = [exported as Node];
  for (const step of path) {
    nodes = nodes
      .flatMap((node) => [node, ...(node.anyOf ?? [])])
      .flatMap((node) => node.properties?.[step] ?? []);
  }
  const mappings = nodes.flatMap((node) => [node, ...(node.anyOf ?? [])]);
  return mappings.flatMap((node) => Object.keys(node.properties ?? {}));
}
