#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
/**
 * The command line: what there is to call. Each command's code is loaded when it is called, and not before.
 */
import { readFileSync } from "node:fs";
import { Command, CommanderError, Option } from "commander";
import { operations } from "../atomics.ts";
import { type ExitCode, exitCodeOf, fileError, reportError } from "./errors.ts";

type Options = Record<string, unknown>;

/** Version of the package: beside src/, or above dist/. */
function version(): string {
  for (const up of ["../../", "../../../"]) {
    try {
      return JSON.parse(readFileSync(new URL(`${up}package.json`, import.meta.url), "utf8")).version;
    } catch {}
  }
  return "unknown";
}

let code: ExitCode = 0;

// a run ends itself in order; anything else ends at once
process.on("SIGINT", () => {
  if (process.listenerCount("SIGINT") > 1) return;
  process.stderr.write("dpusim: interrupted\n");
  process.exit(130);
});

/** A command that answers with text on stdout. */
function prints(make: () => Promise<string>): () => Promise<void> {
  return async () => void process.stdout.write(await make());
}

function collect(value: string, all: string[]): string[] {
  return [...all, value];
}

function addRun(program: Command): void {
  program
    .command("run")
    .argument("<scenario>", "scenario file, YAML or JSON")
    .summary("one migration: a table on stdout")
    .description(
      "Runs one migration and prints its result. Exit code 1 when it did not complete or a check failed.",
    )
    .option("--json <file>", "write the result as JSON; - is stdout, and then no table")
    .option("--set <key=value>", "override a key of the scenario (repeatable)", collect, [])
    .option("--content <mode>", "full, sized or sampled page bodies")
    .option("--seed <n>", "seed of everything random")
    .option("--follow <page>", "print the way of a guest page, event by event (repeatable)", collect, [])
    .option("--allow-outside", "let the scenario name files outside its project")
    .addOption(new Option("--core <variant>", "build of the core").default("lean").hideHelp())
    .action(async (scenario: string, options: Options) => {
      const { runCommand } = await import("./run.ts");
      code = await runCommand(scenario, options as never, version());
    });
}

function addTrace(program: Command): void {
  const trace = program
    .command("trace")
    .description("Trace files: look into, verify, import, generate.")
    .helpCommand(false);
  trace
    .command("info")
    .argument("<file>", "trace file")
    .summary("what a trace holds")
    .option("--json", "as JSON")
    .action(async (file: string, options: Options) => {
      const { traceInfoCommand } = await import("./trace.ts");
      await prints(async () => traceInfoCommand(file, options.json === true))();
    });
  trace
    .command("verify")
    .argument("<file>", "trace file")
    .summary("every rule of the format, contents against their hashes")
    .option("--json", "as JSON")
    .action(async (file: string, options: Options) => {
      const { traceVerifyCommand } = await import("./trace.ts");
      await prints(async () => traceVerifyCommand(file, options.json === true))();
    });
  trace
    .command("import")
    .argument("<kind>", "qemu-stream, qemu-log, csv, jsonl, raw, elf or lackey; may be left out where sure")
    .argument("[file...]", "what is imported")
    .summary("a file of another program as a trace file")
    .requiredOption("-o, --output <file>", "trace file to write")
    .option("--epoch <time>", "length of an epoch; 20 ms, of images 1 s")
    .option("--rate <rate>", "of a migration stream without query-migrate (1 Gbit/s)")
    .option("--instructions <rate>", "of an instruction trace, a second (1 G/s)")
    .option("--hashes", "a hash of every page version, where there are contents")
    .option("--force", "replace the file if it is there")
    .action(async (kind: string, files: string[], options: Options) => {
      const { traceImportCommand } = await import("./trace-import.ts");
      await prints(async () => traceImportCommand([kind, ...files], options as never, version()))();
    });
  trace
    .command("generate")
    .argument("<file>", "trace file to write")
    .summary("a generated workload as a trace file")
    .requiredOption("--memory <bytes>", "memory, e.g. 64MiB")
    .requiredOption("--rate <rate>", "page writes, e.g. 4000/s")
    .requiredOption("--working-set <bytes>", "memory that is written to, e.g. 8MiB")
    .option("--pattern <name>", "uniform, hot, sequential or zipf", "uniform")
    .option("--mix <z/t/r>", "per cent of zero, text and random pages", "30/40/30")
    .option("--duration <time>", "length, a multiple of 20 ms", "1 s")
    .option("--contents <kind>", "complete, or none for addresses alone", "complete")
    .option("--seed <n>", "seed", "1")
    .option("--force", "replace the file if it is there")
    .action(async (file: string, options: Options) => {
      const { traceGenerateCommand } = await import("./trace-generate.ts");
      await prints(async () => traceGenerateCommand(file, options as never))();
    });
}

function addLists(program: Command): void {
  program
    .command("presets")
    .argument("[name]", "a preset")
    .description("Lists presets, or every value of one with unit, meaning and source.")
    .action(async (name?: string) => {
      const { presetsCommand } = await import("./presets.ts");
      await prints(async () => presetsCommand(name))();
    });
  program
    .command("stats")
    .argument("[glob]", "names to show, e.g. 'source.card.*'")
    .description("Lists the statistics and accounting units of a result with unit and meaning.")
    .action(async (glob?: string) => {
      const { statsCommand } = await import("./stats.ts");
      await prints(async () => statsCommand(glob))();
    });
  program
    .command("schema")
    .argument("<format>", "scenario or result")
    .description("Prints the JSON Schema of a format.")
    .action(async (format: string) => {
      const { schemaCommand } = await import("./schema.ts");
      await prints(async () => schemaCommand(format))();
    });
}

function addReplay(program: Command): void {
  program
    .command("replay")
    .argument("<result>", "result file, JSON")
    .description(
      "Runs a result again from itself alone and compares bit for bit. Exit code 1 when they differ.",
    )
    .option("--trace <file>", "the trace, where it is not beside the result, here, or shipped")
    .addOption(new Option("--core <variant>", "build of the core").default("lean").hideHelp())
    .action(async (file: string, options: Options) => {
      const { replayCommand } = await import("./replay.ts");
      code = await replayCommand(file, options as never, version());
    });
}

/** `probe`: one unit on its own; each probe adds itself. */
function addProbe(program: Command): void {
  const probe = program
    .command("probe")
    .summary("one unit on its own: pcie, link, codec")
    .description("Runs one unit of the model on its own.")
    .helpCommand(false);
  addProbePcie(probe);
  addProbeLink(probe);
  addProbeCodec(probe);
}

/** An option with one of some values; without it the first. */
function choice(flags: string, text: string, values: string[]): Option {
  return new Option(flags, text).choices(values).default(values[0]);
}

function addProbePcie(probe: Command): void {
  probe
    .command("pcie")
    .summary("pcie-bench on the model: bandwidth and latency of DMA")
    .description("Reads and writes of one size over a window of host memory, as pcie-bench does them.")
    .option("--host <preset>", "host", "snb-e5-2630")
    .option("--card <preset>", "card", "nfp6000-e5")
    .addOption(choice("--op <op>", "operation", [...operations]))
    .option("--size <bytes>", "bytes of an operation", "64")
    .option("--window <bytes>", "bytes of memory that operations are spread over (8192, or --size above)")
    .addOption(choice("--pattern <name>", "order of the addresses", ["random", "sequential"]))
    .addOption(choice("--cache <state>", "whether the host has touched the window", ["warm", "cold"]))
    .addOption(choice("--numa <node>", "where memory and line are", ["local", "remote"]))
    .addOption(choice("--iommu <pages>", "translation and its pages", ["off", "4KiB", "2MiB"]))
    .addOption(
      choice("--measure <what>", "all workers, or one operation at a time", ["bandwidth", "latency"]),
    )
    .option("--link <link>", "instead of the presets': gen3x8")
    .option("--mps <bytes>", "instead of the presets'")
    .option("--mrrs <bytes>", "instead of the presets'")
    .option("--tags <n>", "instead of the card's")
    .option("--ats <pages>", "the card has a translation cache for so many pages; needs --iommu")
    .option("--relaxed", "writes do not wait for the translations of others; needs --iommu")
    .option("--load <n>", "reads that miss wait for memory, of which others use n thousandths")
    .addOption(choice("--dll <mode>", "data link layer", ["explicit", "pciebench", "ack-per-tlp", "none"]))
    .addOption(
      choice("--jitter <state>", "latencies of the root complex are drawn, or its median", ["on", "off"]),
    )
    .option("--operations <n>", "operations that count, as many as are under way at least")
    .option("--seed <n>", "seed of addresses and jitter", "1")
    .option("--json", "as JSON")
    .action(async (options: Options) => {
      const { probePcieCommand } = await import("./probe-pcie.ts");
      await prints(async () => probePcieCommand(options as never, version()))();
    });
}

function addProbeCodec(probe: Command): void {
  probe
    .command("codec")
    .argument("<file>", "any file, or a trace (.mdt), whose page bodies are taken")
    .summary("page by page: size, clocks and ratio for each compressor preset")
    .description(
      "Compresses each 4 KiB page of a file with each compressor preset; the last page is filled with zeros.",
    )
    .option("--engine <name>", "a compressor preset (repeatable); all without one", collect, [])
    .option("--pages <n>", "the first n pages only")
    .option("--json [file]", "totals and a row for each page as JSON, on stdout unless a file is named")
    .action(async (file: string, options: Options) => {
      const { probeCodecCommand } = await import("./probe-codec.ts");
      await probeCodecCommand(file, options as never);
    });
}

function addValidate(program: Command): void {
  program
    .command("validate")
    .argument("[suite...]", "suites; all without one")
    .summary("published and recorded numbers beside the model's")
    .description(
      "Compares the model with what was published or recorded. Exit code 1 when a point is outside.",
    )
    .option("--json [file]", "the points as JSON, on stdout unless a file is named")
    .option("--all", "list all points, not only those outside their tolerance")
    .option("--truth <file>", "of the suite qemu: recordings of your own, their traces beside the file")
    .action(async (suites: string[], options: Options) => {
      const { validateCommand } = await import("./validate.ts");
      code = await validateCommand(suites, options as never);
    });
}

function addProbeLink(probe: Command): void {
  probe
    .command("link")
    .summary("a bulk transfer over the external channel")
    .description("Sends bytes over TCP from one card's port to another's and prints what came of it.")
    .option("--rate <rate>", "rate of the path", "100 Gbit/s")
    .option("--mtu <bytes>", "largest IP packet", "9000")
    .option("--rtt <time>", "propagation there and back", "20 us")
    .option("--loss <share>", "share of the frames that are lost, e.g. 0.001", "0")
    .option("--loss-back <share>", "the same of the frames back", "0")
    .option("--jitter <time>", "how late a frame may be", "0 s")
    .addOption(choice("--transport <name>", "how bytes are carried", ["tcp", "udp"]))
    .addOption(new Option("--congestion <name>", "of TCP (cubic)").choices(["cubic", "reno"]))
    .option("--streams <n>", "connections", "1")
    .option("--window <bytes>", "fixed receive window; without it the receiver sizes it")
    .option("--in-flight <bytes>", "cap on what a connection has in flight")
    .option("--buffer <bytes>", "queue at the bottleneck, in bytes on the wire (1 MiB)")
    .option("--port <rate>", "rate of the sender's port; the bottleneck if it is no faster (400 Gbit/s)")
    .option("--pause", "the switch at the bottleneck stops the port before its queue is full")
    .option("--hop <time>", "of --pause: from the port to the switch (500 ns)")
    .option("--vlan <n>", "VLAN tags of a frame, 0 to 2", "0")
    .addOption(choice("--ip <version>", "IP version", ["v4", "v6"]))
    .option("--vxlan", "VXLAN around every packet, 50 B of the MTU")
    .addOption(choice("--macsec <kind>", "MACsec, 32 or 24 B a frame", ["off", "sci", "short"]))
    .option("--esp", "ESP in tunnel mode with AES-GCM, 54 B of the MTU, padded to 4")
    .addOption(choice("--tls <version>", "TLS records of 16 KiB, 29 or 22 B each", ["off", "v1.2", "v1.3"]))
    .option("--bytes <bytes>", "what is sent")
    .option("--duration <time>", "how long is measured, without --bytes (1 s)")
    .option("--omit <time>", "what goes before the measured time", "0 s")
    .option("--seed <n>", "seed of everything random", "1")
    .option("--json", "as JSON, with what was asked")
    .option("--curve", "of --json: bytes acknowledged over time, all points of it")
    .addOption(new Option("--core <variant>", "build of the core").default("lean").hideHelp())
    .action(async (options: Options) => {
      const { probeLinkCommand } = await import("./probe-link.ts");
      await prints(async () => probeLinkCommand(options as never, version()))();
    });
}

/** The program with all its commands. */
function program(): Command {
  const all = new Command("dpusim")
    .description(
      "Cycle-level simulator of SmartNICs/DPUs that carry the live migration of a virtual machine.",
    )
    .version(version(), "-V, --version", "the version")
    .helpOption("-h, --help", "this help")
    .helpCommand(false)
    .configureOutput({ outputError: () => {}, writeErr: () => {} })
    .exitOverride()
    .showSuggestionAfterError(true);
  addRun(all);
  addTrace(all);
  addLists(all);
  addReplay(all);
  addValidate(all);
  addProbe(all);
  const inherit = (command: Command): void => {
    for (const one of command.commands) {
      one.copyInheritedSettings(command);
      inherit(one);
    }
  };
  inherit(all);
  return all;
}

async function main(): Promise<ExitCode> {
  try {
    await program().parseAsync(process.argv);
    return code;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0;
    reportError(error);
    return exitCodeOf(error);
  }
}

// a reader that has seen enough, such as head, is no fault; a full disk is none of dpusim's
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") return;
  reportError(fileError("stdout", error));
  process.exit(2);
});
process.stderr.on("error", () => {});
process.exitCode = await main();
